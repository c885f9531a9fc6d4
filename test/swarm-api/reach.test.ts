import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFailure } from '../../src/swarm/api-failure.ts';
import { DockerApi } from '../../src/swarm/docker-api.ts';
import { addressOn, findReach, obstacleOf } from '../../src/swarm/reach.ts';
import type { ApiService } from '../../src/swarm/api.ts';
import { refusal } from '../support/api-faults.ts';
import { SimClock } from '../support/sim-clock.ts';
import { NETWORK_ID, reach, service, task, workload } from './listing.ts';
import { NETWORK, ScriptedApi, text } from './scripted-api.ts';

/** Which network tasks are reached on, and what is said where there is none. */
let scripted: ScriptedApi;
let api: DockerApi;

beforeEach(async () => {
  scripted = await new ScriptedApi().start();
  api = new DockerApi({ socket: scripted.socket, clock: new SimClock() });
});
afterEach(() => scripted.dispose());

const network = (facts: Readonly<Record<string, unknown>>): void =>
  scripted.script('network', text(JSON.stringify({ ...NETWORK, ...facts })));

describe('the network of the config', () => {
  it('is asked for by its name', async () => {
    expect(await findReach(api, 'reveille_agents', 'me')).toEqual({ networks: [{ id: 'net1', name: 'reveille_agents' }] });
    expect(scripted.asked.map(({ url }) => url)).toEqual(['/networks/reveille_agents']);
  });

  it('is missing, or is no overlay: what to do is said', async () => {
    network({ Driver: 'bridge' });
    expect(await findReach(api, 'agents', 'me')).toEqual({
      problem: 'network agents is not an overlay network: mend swarm.network',
    });
    scripted.script('network', refusal(404, 'network agents not found'));
    expect(await findReach(api, 'agents', 'me')).toEqual({
      problem: 'there is no network agents: create it, or mend swarm.network',
    });
  });

  it('cannot be asked about: that is a failure and no answer', async () => {
    scripted.script('network', refusal(500, 'boom'));
    await expect(findReach(api, 'agents', 'me')).rejects.toBeInstanceOf(ApiFailure);
  });
});

describe("without one, those of the daemon's own container", () => {
  it('are taken where they are overlays, and never the ingress network', async () => {
    const ids = ['a', 'b', 'c', 'd'];
    const networks = Object.fromEntries(ids.map((id) => [id, { NetworkID: id }]));
    scripted.script('container', text(JSON.stringify({ NetworkSettings: { Networks: networks } })));
    scripted.script('network', ({ url }) => {
      const id = url.slice(-1);
      if (id === 'd') return refusal(404, 'network d not found');
      const facts = { a: { Driver: 'bridge' }, b: { Driver: 'overlay', Ingress: true }, c: { Driver: 'overlay' } }[id];
      return text(JSON.stringify({ Id: id, Name: `name of ${id}`, ...facts }));
    });
    expect(await findReach(api, null, 'me')).toEqual({ networks: [{ id: 'c', name: 'name of c' }] });
  });

  it('are none: it is told to attach itself', async () => {
    scripted.script('container', text('{"NetworkSettings":{"Networks":{}}}'));
    expect(await findReach(api, null, 'me')).toEqual({
      problem: "the daemon's container is on no overlay network: attach it to the one of the agents",
    });
  });

  it('cannot be known where the daemon is no container: it is told to set swarm.network', async () => {
    scripted.script('container', refusal(404, 'No such container: me'));
    expect(await findReach(api, null, 'me')).toEqual({
      problem: 'the daemon is no container of this Docker, so swarm.network has to say where tasks are',
    });
  });
});

describe('the address of a task', () => {
  it('is the first one on the network, without its prefix', () => {
    expect(addressOn(reach, task({ address: '10.0.1.9' }))).toBe('10.0.1.9');
  });

  it('is none while it has none there, or while no network is known', () => {
    expect(addressOn(reach, task({ address: null }))).toBeNull();
    expect(addressOn(reach, { ID: 'x', NetworksAttachments: [{ Network: { ID: NETWORK_ID } }] })).toBeNull();
    expect(
      addressOn(reach, { ID: 'x', NetworksAttachments: [{ Network: { ID: 'other' }, Addresses: ['10.1.1.1/24'] }] }),
    ).toBeNull();
    expect(addressOn({ problem: 'unknown' }, task())).toBeNull();
  });
});

describe('what stands in the way', () => {
  const on = (...targets: readonly string[]): ApiService => ({
    ID: 'svc1',
    Spec: { Mode: { Replicated: { Replicas: 0 } }, TaskTemplate: { Networks: targets.map((Target) => ({ Target })) } },
  });

  it('is nothing where the service is on the network, by id, by name, or the old way', () => {
    expect(obstacleOf(on('x', NETWORK_ID), workload, reach)).toBeNull();
    expect(obstacleOf(on('reveille_agents'), workload, reach)).toBeNull();
    const old = { ID: 'svc1', Spec: { Mode: { Replicated: {} }, Networks: [{ Target: NETWORK_ID }] } };
    expect(obstacleOf(old, workload, reach)).toBeNull();
  });

  it('is that it is somewhere else', () => {
    expect(obstacleOf(on('x'), workload, reach)).toBe('service kai is not on the network reveille_agents: attach it there');
  });

  it('is that no network is known, unless its host is dialled as it is written', () => {
    expect(obstacleOf(on('x'), workload, { problem: 'why' })).toBe('why');
    const fixed = { ...workload, swarm: { service: 'kai', host: 'lb.internal', port: 1 } };
    expect(obstacleOf(on('x'), fixed, { problem: 'why' })).toBeNull();
  });

  it('is its mode, for an agent that is to sleep and for no other', () => {
    const job = { ...service(0), Spec: { Mode: { ReplicatedJob: {} }, TaskTemplate: { Networks: [{ Target: NETWORK_ID }] } } };
    expect(obstacleOf(job, workload, reach)).toBe('service kai is replicatedjob: only a replicated service can be put to sleep');
    expect(obstacleOf(job, { ...workload, policy: 'always-on' }, reach)).toBeNull();
    expect(obstacleOf({ ID: 'svc1' }, workload, reach)).toMatch(/^service kai is unknown: /);
  });
});
