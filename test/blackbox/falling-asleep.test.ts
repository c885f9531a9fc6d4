import { Agent } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { type Daemon, it, program } from '../support/daemon.ts';
import type { Reply } from '../support/call.ts';
import { type Prng, prng } from '../../src/std/prng.ts';

/**
 * The moment in which an agent falls asleep is the one in which a request can get lost. So requests are thrown at it: before,
 * into and after it, by several clients, in all ways, at random.
 */
const IDLE_MS = 150;
const CLIENTS = 4;
const REQUESTS_EACH = 50;
const ASLEEP = ['sleeping', 'starting', 'stopping'];

interface Tally {
  served: number;
  refused: number;
}

it(
  'B, C: 200 random requests around the moment of falling asleep meet no 502 and no reset',
  { timeout: 600_000 },
  async ({ start }) => {
    const seed = Number(process.env['BLACKBOX_SEED'] ?? Date.now() % 2 ** 32);
    console.log(`rerun with BLACKBOX_SEED=${seed}`);
    const names = Array.from({ length: CLIENTS }, (_, index) => `agent${index}`);
    const agent = { process: program('test/blackbox/agents/trouble.ts'), idle: { timeout: `${IDLE_MS}ms` } };
    // One address wakes them far more often than anybody honest.
    const wake_limits = { per_client: null, total: null };
    const daemon = await start({ wake_limits, agents: Object.fromEntries(names.map((name) => [name, agent])) });
    const tally: Tally = { served: 0, refused: 0 };
    await Promise.all(names.map((name, index) => pester(daemon, name, prng(seed + index), tally)));

    expect(tally.served + tally.refused).toBe(CLIENTS * REQUESTS_EACH);
    // Both sides of the moment were met, and often.
    expect(tally.served).toBeGreaterThan(20);
    expect(tally.refused).toBeGreaterThan(10);
    const slept = daemon.events.items.filter(({ type }) => type === 'agent.sleep');
    expect(slept.length).toBeGreaterThan(10);
    expect(new Set(slept.map(({ reason }) => reason))).toEqual(new Set(['idle']));
    for (const name of names) expect((await daemon.wake(name)).status).toBe(200);
    const metrics = await daemon.metrics();
    expect([...metrics.keys()].filter((series) => series.startsWith('upstream_errors_total'))).toEqual([]);
  },
);

async function pester(daemon: Daemon, name: string, random: Prng, tally: Tally): Promise<void> {
  const keepAlive = new Agent({ keepAlive: true });
  for (let left = REQUESTS_EACH; left > 0;) {
    const burst = Math.min(left, 1 + random.below(3));
    left -= burst;
    const before = daemon.lastEvent;
    const replies = await Promise.all(Array.from({ length: burst }, () => anyRequest(daemon, name, random, keepAlive)));
    for (const reply of replies) judge(reply, name, tally);
    // Nobody asks again: whoever was refused has to find it awake (promise C).
    if (replies.every(({ status }) => status === 503)) await daemon.event('agent.ready', name, before);
    // Mostly about as long as it stays awake, sometimes not at all.
    await pause(random.below(5) === 0 ? 0 : IDLE_MS - 60 + random.below(150));
  }
  keepAlive.destroy();
}

function anyRequest(daemon: Daemon, name: string, random: Prng, agent: Agent): Promise<Reply> {
  const connection = random.below(2) === 0 ? {} : { agent };
  switch (random.below(4)) {
    case 0:
      return daemon.call(name, '/', { ...connection, method: 'POST', body: 'x'.repeat(random.below(200_000)) });
    case 1:
      return daemon.call(name, `/hold?ms=${random.below(2 * IDLE_MS)}`, connection);
    case 2:
      return daemon.call(name, '/', { ...connection, method: 'DELETE' });
    default:
      return daemon.call(name, '/', connection);
  }
}

function judge(reply: Reply, name: string, tally: Tally): void {
  if (reply.status === 200) {
    tally.served += 1;
    expect(reply.json.pid).toBeGreaterThan(1);
    return;
  }
  tally.refused += 1;
  expect([reply.status, reply.text]).toEqual([503, expect.stringContaining(`"agent":"${name}"`)]);
  expect(ASLEEP).toContain(reply.json.status);
  expect(Number(reply.headers['retry-after'])).toBeGreaterThanOrEqual(1);
  expect(reply.headers['cache-control']).toBe('no-store');
}
