import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { changeRecord, readRecords } from '../../agents/trooper/memory.ts';
import type { TrooperRecord } from '../../agents/world/values.ts';
import { Relay } from './relay.ts';
import { type World, it as withWorlds } from './rig.ts';

/** Two worlds that are each other's peers, with a relay on each way. */
export interface Rack extends World {
  /** Of the others, to this one. */
  readonly relay: Relay;
  readonly snapshots: string;
  /** A file in here has a trooper die (agents/trooper/revolt/crash-points.ts). */
  readonly crashes: string;
  /** Seats that are taken. */
  troopers(): Promise<readonly { readonly slot: number; readonly record: TrooperRecord }[]>;
  /** Resolves once the daemon has these tasks and no other. */
  untilRunning(tasks: readonly string[]): Promise<void>;
  /** Has those that died started anew without waiting, and resolves once every trooper has its task. */
  heal(): Promise<void>;
  remember(slot: number, change: Partial<TrooperRecord>): Promise<void>;
}

export const SECRET = 'a secret between two racks';

interface Fixtures {
  readonly racks: (replicas?: number) => Promise<{ readonly one: Rack; readonly two: Rack }>;
}

export const it = withWorlds.extend<Fixtures>({
  racks: async ({ world }, use) => {
    const directory = mkdtempSync(join(tmpdir(), 'reveille-racks-'));
    const relays: Relay[] = [];
    await use(async (replicas = 3) => {
      const toOne = await Relay.to('world.test');
      const toTwo = await Relay.to('world.test');
      relays.push(toOne, toTwo);
      const start = async (number: number, own: Relay, peer: Relay): Promise<Rack> => {
        const snapshots = join(directory, `snapshots-${number}`);
        const crashes = mkdtempSync(join(directory, 'crashes-'));
        const env = {
          DASHBOARD_BOT_LABEL: `Machine Rack ${number} (BOT ${number})`,
          PEER_DASHBOARD_URL: peer.url,
          REVOLT_SECRET: SECRET,
          REVOLT_SNAPSHOT_DIR: snapshots,
          REVOLT_CRASH_DIR: crashes,
        };
        const up = await world({ replicas, env });
        own.port = up.daemon.port;
        const rack: Rack = {
          ...up,
          relay: own,
          snapshots,
          crashes,
          troopers: async () => {
            const records = await readRecords(
              up.bus,
              'world',
              Array.from({ length: 40 }, (_, index) => index + 1),
            );
            return [...records].flatMap(([slot, record]) => (record.trooper === null ? [] : [{ slot, record }]));
          },
          untilRunning: async (tasks) => {
            for (;;) {
              const headers = { authorization: up.daemon.bearerOf('world') };
              const { json } = await up.daemon.admin('/api/self', { headers });
              const running = json.tasks.map(({ id }: { readonly id: string }) => id);
              if (JSON.stringify(running.toSorted()) === JSON.stringify([...tasks].toSorted())) return;
              await pause(50);
            }
          },
          heal: async () => {
            const headers = { authorization: up.daemon.bearerOf('world') };
            const look = async () => (await up.daemon.admin('/api/self', { headers })).json;
            const { replicas } = await look();
            if (replicas.running < replicas.wanted) {
              await up.daemon.admin('/api/self/scale', { method: 'POST', headers, json: { replicas: replicas.wanted } });
            }
            for (;;) {
              const self = await look();
              const running = self.tasks.filter(({ state }: { readonly state: string }) => state === 'running');
              const seats = await rack.troopers();
              const sits = seats.every(({ record }) => running.some(({ id }: { readonly id: string }) => id === record.task_id));
              if (sits && running.length === self.replicas.wanted && seats.length === running.length) return;
              await pause(50);
            }
          },
          remember: async (slot, change) => {
            await changeRecord(up.bus, 'world', slot, (record) => (record === null ? null : { ...record, ...change }));
          },
        };
        return rack;
      };
      const [one, two] = await Promise.all([start(1, toOne, toTwo), start(2, toTwo, toOne)]);
      // They serve before they sit.
      await Promise.all([one.heal(), two.heal()]);
      return { one, two };
    });
    for (const relay of relays) await relay[Symbol.asyncDispose]();
    // Troopers may still be writing there.
    rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  },
});
