import { createHash } from 'node:crypto';
import { Agent } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { type Prng, prng } from '../../src/std/prng.ts';
import type { Reply } from '../support/call.ts';
import { type Daemon, it, program } from '../support/daemon.ts';

/**
 * Requests against the very moment in which their agent falls asleep or is frozen, thrown at random, where every request is
 * held: whoever wins, nobody may notice. BLACKBOX_RACES says how many, BLACKBOX_SEED runs the same ones again.
 */
const RACES = Number(process.env['BLACKBOX_RACES'] ?? 150);
const SEED = Number(process.env['BLACKBOX_SEED'] ?? Date.now() % 2 ** 32);
const RACERS_EACH = 3;
/** From the end of the last request to the moment that is aimed at. */
const MOMENT_MS = 25;

interface Tally {
  races: number;
  requests: number;
  readonly errors: string[];
}

it(
  `B, C, L, O: requests race against sleeps and freezes, and none of them fails (BLACKBOX_SEED=${SEED})`,
  { timeout: 600_000 },
  async ({ start }) => {
    const agent = { process: program('test/blackbox/agents/counter.ts'), on_sleeping: 'hold' };
    const sleepers = Array.from({ length: RACERS_EACH }, (_, index) => `sleeper${index}`);
    const freezers = Array.from({ length: RACERS_EACH }, (_, index) => `freezer${index}`);
    const agents = Object.fromEntries([
      ...sleepers.map((name) => [name, { ...agent, idle: { timeout: `${MOMENT_MS}ms` } }]),
      ...freezers.map((name) => [name, { ...agent, idle: { timeout: '1h', freeze_after: `${MOMENT_MS}ms` } }]),
    ]);
    const daemon = await start({ agents });
    const begun = performance.now();
    const slept: Tally = { races: 0, requests: 0, errors: [] };
    const froze: Tally = { races: 0, requests: 0, errors: [] };
    await Promise.all([
      ...sleepers.map((name, index) => race(daemon, name, prng(SEED + index), slept)),
      ...freezers.map((name, index) => race(daemon, name, prng(SEED + RACERS_EACH + index), froze)),
    ]);
    const sleeps = daemon.events.items.filter(({ type }) => type === 'agent.sleep').length;
    const thaws = daemon.events.items.filter(({ type }) => type === 'agent.thawed').length;
    console.log(
      `seed ${SEED}, in ${Math.round(performance.now() - begun)} ms: ` +
        `${slept.races} races against sleep (${slept.requests} requests, ${sleeps} sleeps, ${slept.errors.length} errors), ` +
        `${froze.races} against freeze (${froze.requests} requests, ${thaws} thaws, ${froze.errors.length} errors)`,
    );
    expect([...slept.errors, ...froze.errors]).toEqual([]);
    expect(slept.races + froze.races).toBe(RACES);
    // Both sides have won; how often depends on the machine.
    for (const lost of [sleeps, thaws]) expect(lost).toBeGreaterThan(0);
    const errors = [...(await daemon.metrics())].filter(
      ([series, value]) => series.startsWith('upstream_errors_total') && value > 0,
    );
    expect(errors).toEqual([]);
  },
);

async function race(daemon: Daemon, name: string, random: Prng, tally: Tally): Promise<void> {
  const half = name.startsWith('sleeper') ? Math.ceil(RACES / 2) : Math.floor(RACES / 2);
  const kept = new Agent({ keepAlive: true });
  while (tally.races < half) {
    tally.races += 1;
    const burst = Array.from({ length: 1 + random.below(3) }, async () => {
      // Some of them a little behind the others.
      if (random.below(3) === 0) await pause(random.below(8));
      tally.requests += 1;
      await anyRequest(daemon, name, random, kept).catch((error: unknown) => tally.errors.push(`${name}: ${String(error)}`));
    });
    await Promise.all(burst);
    // Mostly about as long as it stays awake, sometimes clearly less.
    await pause(random.below(4) === 0 ? random.below(MOMENT_MS) : MOMENT_MS - 5 + random.below(12));
  }
  kept.destroy();
}

async function anyRequest(daemon: Daemon, name: string, random: Prng, kept: Agent): Promise<void> {
  const connection = random.below(2) === 0 ? {} : { agent: kept };
  const body = 'x'.repeat(random.below(2) === 0 ? random.below(200) : random.below(200_000));
  switch (random.below(8)) {
    case 0: {
      const { socket, closed, ask } = await daemon.socket(name, '/');
      expect(await ask('hello')).toBe('hello');
      socket.close(1000);
      await closed;
      return;
    }
    case 1: {
      // Gone before it has its answer, as a person who closes the window.
      const early = daemon.call(name, '/stream', { ...connection, onData: () => false });
      await expect(early).rejects.toThrow('the test has seen enough');
      return;
    }
    case 2:
    case 3:
      judge(await daemon.call(name, '/', { ...connection, method: 'DELETE' }), '');
      return;
    case 4:
    case 5:
      judge(await daemon.call(name, '/', connection), '');
      return;
    default:
      judge(await daemon.call(name, '/', { ...connection, method: 'POST', body }), body);
  }
}

function judge(reply: Reply, body: string): void {
  if (reply.status !== 200) throw new Error(`${reply.status} ${reply.text}`);
  expect(reply.json).toMatchObject({ bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') });
}
