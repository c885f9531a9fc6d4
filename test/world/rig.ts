import { setTimeout as pause } from 'node:timers/promises';
import { type Bus, connectBus } from '../../agents/world/bus.ts';
import { type Daemon, type Settings, it as withDaemons, program } from '../support/daemon.ts';
import { Memcached } from '../support/memcached.ts';
import { patient } from '../support/patient-bus.ts';

/** A whole world: the real daemon on the process engine, troopers as its tasks, and a real memcached between them. */
export interface World {
  readonly daemon: Daemon;
  readonly memcached: Memcached;
  /** The test's own connection to what the troopers share. */
  readonly bus: Bus;
  /** `GET path` of whichever trooper it meets, awake by then. */
  get(path: string): Promise<Answer>;
  post(path: string, body: unknown): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly json: any;
}

export interface WorldOptions {
  readonly replicas?: number;
  /** For the troopers, beside where memcached is. */
  readonly env?: Readonly<Record<string, string>>;
  /** More agents, as they stand in orchestrator.yaml. */
  readonly agents?: Readonly<Record<string, Settings>>;
  readonly idle?: Settings;
  /** Another world's memcached, to share it. */
  readonly memcached?: Memcached;
}

interface Fixtures {
  /** Resolves once all its troopers run and serve. */
  readonly world: (options?: WorldOptions) => Promise<World>;
}

/** `it` with worlds; all of them are gone at its end. */
export const it = withDaemons.extend<Fixtures>({
  world: async ({ start }, use) => {
    const ends: (() => Promise<void>)[] = [];
    await use(async (options = {}) => {
      const memcached = options.memcached ?? (await Memcached.start());
      if (options.memcached === undefined) ends.push(() => memcached[Symbol.asyncDispose]());
      const bus = patient(connectBus(memcached.place));
      ends.push(async () => bus.close());
      const daemon = await start({ agents: { world: agentOf(memcached, options), ...options.agents } });
      const wanted = options.replicas ?? 3;
      await daemon.wake('world', '/api/whoami');
      await untilServing(daemon, wanted);
      return worldOf(daemon, memcached, bus);
    });
    for (const end of ends) await end();
  },
});

/** The agent `world` as orchestrator.yaml would have it. */
export const agentOf = (memcached: Memcached, options: WorldOptions): Settings => ({
  process: program('agents/trooper/main.ts', {
    MEMCACHED_HOST: memcached.host,
    MEMCACHED_PORT: String(memcached.port),
    PICOCLAW_ENABLED: '0',
    ...options.env,
  }),
  replicas: options.replicas ?? 3,
  replicas_max: 20,
  health: { check_interval: '1s' },
  idle: options.idle ?? { timeout: '10m' },
});

function worldOf(daemon: Daemon, memcached: Memcached, bus: Bus): World {
  return {
    daemon,
    memcached,
    bus,
    get: (path) => daemon.wake('world', path),
    post: (path, body) =>
      daemon.wake('world', path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
  };
}

/** Calls until so many troopers have answered: each takes traffic once its own health check has passed. */
export async function untilServing(daemon: Daemon, troopers: number): Promise<void> {
  const seen = new Set<string>();
  while (seen.size < troopers) {
    seen.add((await daemon.wake('world', '/api/whoami')).json.task_id);
    if (seen.size < troopers) await pause(20);
  }
}
