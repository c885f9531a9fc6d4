import { join, resolve } from 'node:path';

/**
 * One rack: a daemon with a world of its own, and all its places on this machine. The two racks know each other by address, since
 * a name that ends in .localhost is for browsers: Node asks the system for it, and not every system knows such names.
 */
export interface Rack {
  readonly number: 1 | 2;
  readonly label: string;
  /** Where the page is; any hostname below leads there. */
  readonly url: string;
  readonly scoreboardUrl: string;
  readonly adminUrl: string;
  /** All on 127.0.0.1. */
  readonly ports: readonly number[];
  readonly directory: string;
  /** What orchestrator.yaml would hold. */
  readonly config: unknown;
}

const REPOSITORY = resolve(import.meta.dirname, '../..');
const HOST = '127.0.0.1';

/** `directory`: where both keep everything. `shift` is added to every port, for a machine where some are taken. */
export const racksIn = (directory: string, shift: number): readonly [Rack, Rack] => [
  rackOf(1, directory, shift),
  rackOf(2, directory, shift),
];

export const secretFile = (directory: string): string => join(directory, 'revolt_secret');

function rackOf(number: 1 | 2, directory: string, shift: number): Rack {
  const port = (of: 1 | 2, offset: number): number => of * 10_000 + offset + shift;
  const [open, scoreboard, admin, membus] = [port(number, 8080), port(number, 8090), port(number, 9180), port(number, 8311)];
  const own = join(directory, String(number));
  const label = `Machine Rack ${number} (BOT ${number})`;
  const bus = { MEMCACHED_HOST: HOST, MEMCACHED_PORT: String(membus) };
  const agent = (file: string, env: Readonly<Record<string, string>>): unknown => ({
    command: ['node', join('agents', file)],
    cwd: REPOSITORY,
    env,
  });
  return {
    number,
    label,
    url: `http://localhost:${open}/`,
    scoreboardUrl: `http://localhost:${scoreboard}/`,
    adminUrl: `http://${HOST}:${admin}`,
    ports: [open, scoreboard, admin, membus],
    directory: own,
    config: {
      listen: `${HOST}:${open}`,
      admin_listen: `${HOST}:${admin}`,
      state_dir: join(own, 'state'),
      // A page that is open would otherwise hold up the end.
      shutdown: { drain_timeout: '2s' },
      agents: {
        world: {
          hostname: 'world.localhost',
          hostnames: ['localhost', HOST],
          process: agent('trooper/main.ts', {
            ...bus,
            DASHBOARD_BOT_LABEL: label,
            PEER_DASHBOARD_URL: `http://${HOST}:${port(number === 1 ? 2 : 1, 8080)}`,
            REVOLT_SECRET_FILE: secretFile(directory),
            REVOLT_SNAPSHOT_DIR: join(own, 'snapshots'),
          }),
          replicas: 3,
          replicas_max: 20,
          idle: { timeout: '10m' },
        },
        // Always on, since it is to be found on a port of its own, where no daemon can wake it.
        scoreboard: {
          hostname: 'scoreboard.localhost',
          policy: 'always-on',
          backend: `http://${HOST}:${scoreboard}`,
          process: agent('aggregator/main.ts', bus),
        },
        membus: {
          hostname: 'membus.localhost',
          policy: 'always-on',
          process: agent('membus/main.ts', {
            MEMBUS_HOST: HOST,
            MEMBUS_PORT: String(membus),
            MEMBUS_FILE: join(own, 'membus.sqlite'),
          }),
        },
      },
    },
  };
}
