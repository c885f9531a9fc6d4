import type { ApiNode, ApiService, ApiTask } from '../../src/swarm/api.ts';
import type { Reach } from '../../src/swarm/reach.ts';
import type { Knowledge } from '../../src/swarm/sighting.ts';

/** Services and tasks as Swarm lists them, with what a test does not care about filled in. */
export const NETWORK_ID = 'net1';
export const reach: Reach = { networks: [{ id: NETWORK_ID, name: 'reveille_agents' }] };

/** `index`: when it was written, compared with the tasks. */
export const service = (replicas: number, index = 10): ApiService => ({
  ID: 'svc1',
  Version: { Index: index },
  Spec: {
    Name: 'kai',
    Mode: { Replicated: { Replicas: replicas } },
    TaskTemplate: { Networks: [{ Target: NETWORK_ID }] },
  },
});

export interface TaskFacts {
  readonly id?: string;
  readonly slot?: number;
  readonly state?: string;
  readonly desired?: string;
  readonly index?: number;
  readonly node?: string;
  readonly said?: string;
  readonly exitCode?: number;
  readonly container?: string;
  /** Null: it has none yet. */
  readonly address?: string | null;
}

export function task(facts: TaskFacts = {}): ApiTask {
  const { id = 'task1', slot = 1, state = 'running', desired = 'running', index = 20, node = 'node1' } = facts;
  const { said, exitCode = 0, container = `container of ${id}`, address = '10.0.1.4' } = facts;
  return {
    ID: id,
    Version: { Index: index },
    ServiceID: 'svc1',
    CreatedAt: '2026-11-21T04:59:44.592121251Z',
    Slot: slot,
    NodeID: node,
    DesiredState: desired,
    Status: {
      State: state,
      ...(said === undefined ? {} : { Err: said }),
      ContainerStatus: { ContainerID: container, ExitCode: exitCode },
    },
    NetworksAttachments: address === null ? [] : [{ Network: { ID: NETWORK_ID }, Addresses: [`${address}/24`] }],
  };
}

export const node = (id: string, facts: { readonly state?: string; readonly leads?: boolean } = {}): ApiNode => ({
  ID: id,
  Description: { Hostname: `host of ${id}` },
  Status: { State: facts.state ?? 'ready' },
  ...(facts.leads === true ? { ManagerStatus: { Leader: true } } : {}),
});

export const workload: Knowledge['workload'] = {
  agent: 'kai',
  policy: 'on-demand',
  replicas: 1,
  process: null,
  swarm: { service: 'kai', host: null, port: 8080 },
};

export const knowledge = (more: Partial<Knowledge> = {}): Knowledge => ({
  workload,
  reach,
  nodes: new Map([['node1', node('node1', { leads: true })]]),
  started: new Set(),
  died: new Map(),
  frozen: new Set(),
  victims: new Set(),
  ownNode: 'node1',
  ...more,
});
