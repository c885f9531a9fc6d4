import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { type Round, bookIn } from '../../agents/trooper/rps/book.ts';
import { type Bus } from '../../agents/world/bus.ts';
import { KEYS } from '../../agents/world/keys.ts';
import type { TrooperRecord } from '../../agents/world/values.ts';
import type { Daemon } from '../support/daemon.ts';
import { KILLS } from '../support/lengths.ts';
import { Memcached } from '../support/memcached.ts';
import { agentOf, it, untilServing } from './rig.ts';

const INTERVAL_MS = 2000;
/** Ids have whole milliseconds. */
const ROUNDING_MS = 2;

/** Every round that is on the bus from now on. None can be overlooked: the last ten are always there. */
class Rounds {
  readonly all: Round[] = [];
  private readonly bus: Bus;

  constructor(bus: Bus) {
    this.bus = bus;
  }

  get newest(): Round | null {
    return this.all.at(-1) ?? null;
  }

  async look(): Promise<void> {
    const recent = bookIn(await this.bus.get(KEYS.rpsState))?.recent ?? [];
    for (const round of recent) {
      const known = this.all.find((each) => each.round === round.round);
      if (known !== undefined) expect(round).toEqual(known);
      else if (this.newest === null || round.round > this.newest.round) this.all.push(round);
      else if (round.round > this.all[0]!.round) throw new Error(`round ${round.round} came late`);
    }
  }

  /** Resolves to the next one that is not there yet. */
  async next(): Promise<Round> {
    const before = this.newest;
    for (;;) {
      await this.look();
      if (this.newest !== null && this.newest.round !== before?.round) return this.newest;
      await pause(20);
    }
  }

  /** One publication each, none left out, never too soon, in terms that never fall. Resolves to the longest gap. */
  check(): number {
    let longest = 0;
    for (const [index, round] of this.all.entries()) {
      const before = this.all[index - 1];
      if (before === undefined) continue;
      const gap = Date.parse(round.at) - Date.parse(before.at);
      expect(round.round).toBe(before.round + 1);
      expect(round.term).toBeGreaterThanOrEqual(before.term);
      expect(gap).toBeGreaterThanOrEqual(INTERVAL_MS - ROUNDING_MS);
      longest = Math.max(longest, gap);
    }
    return longest;
  }
}

const TICK_MS = 20;
const WAITS = 20;

/**
 * How late this machine is: the longest that a timer of this process was overdue. What a test wants to see within a time needs a
 * score of such waits, each by another process, and they are not the world's doing.
 */
class Lateness {
  private longestMs = 0;
  private due = performance.now() + TICK_MS;
  private readonly timer = setInterval(() => {
    const now = performance.now();
    this.longestMs = Math.max(this.longestMs, now - this.due);
    this.due = now + TICK_MS;
  }, TICK_MS);

  [Symbol.dispose](): void {
    clearInterval(this.timer);
  }

  get allowedMs(): number {
    return Math.round(this.longestMs * WAITS);
  }
}

const recordOf = async (bus: Bus, slot: number, service = 'world'): Promise<TrooperRecord | null> =>
  JSON.parse((await bus.get(KEYS.trooper(service, slot))) ?? 'null') as TrooperRecord | null;

// eslint-disable-next-line @typescript-eslint/no-explicit-any
const selfOf = async (daemon: Daemon, agent = 'world'): Promise<any> => (await daemon.admin(`/api/self?agent=${agent}`)).json;

it('GET /api/rps tells the newest round; the interval is clamped, and what is no integer is refused', async ({ world }) => {
  const { daemon, get, post, bus } = await world({ replicas: 1 });
  expect((await get('/api/rps')).json).toMatchObject({ interval_seconds: 10, ttl_seconds: 20 });
  await new Rounds(bus).next();
  const { state } = (await get('/api/rps')).json;
  expect(state).toEqual({
    choice: expect.stringMatching(/^(rock|paper|scissors)$/),
    from: 'world.1',
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    publisher: 'leader-manager',
  });
  for (const [asked, granted] of [
    [1, 2],
    [-7, 2],
    [500, 120],
    [60, 60],
  ]) {
    const reply = await post('/api/rps/config', { interval_seconds: asked });
    expect([reply.status, reply.json]).toEqual([200, { ok: true, interval_seconds: granted }]);
  }
  expect((await get('/api/rps')).json).toMatchObject({ interval_seconds: 60, ttl_seconds: 120 });
  const refusal = { error: 'interval_seconds must be an integer' };
  for (const value of ['5', true, 2.5, null, [], {}]) {
    const reply = await post('/api/rps/config', { interval_seconds: value });
    expect([value, reply.status, reply.json]).toEqual([value, 400, refusal]);
  }
  for (const [type, body] of [
    ['application/json', '{}'],
    ['application/json', '[5]'],
    ['application/json', '{"interval_seconds":'],
    ['application/json', ''],
    ['text/plain', '5'],
    [null, undefined],
  ] as const) {
    const headers = type === null ? {} : { 'content-type': type };
    const reply = await daemon.call('world', '/api/rps/config', {
      method: 'POST',
      headers,
      ...(body === undefined ? {} : { body }),
    });
    expect([type, body, reply.status, reply.json]).toEqual([type, body, 400, refusal]);
  }
});

it('scores move by one point a round at most, the manager’s never; a repeated round and a silent memcached change nothing', async ({
  world,
}) => {
  const { daemon, memcached, bus, post } = await world({ replicas: 4 });
  await post('/api/rps/config', { interval_seconds: 2 });
  for (const slot of [1, 2, 3, 4]) while ((await recordOf(bus, slot)) === null) await pause(20);
  const rounds = new Rounds(bus);
  await rounds.next();
  const heartbeat = await bus.get(KEYS.heartbeat('world.4'));
  expect(heartbeat).toMatch(/^Ping from world\.4 at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const { tasks } = await selfOf(daemon);
  await daemon.admin(`/api/self/tasks/${tasks[3].id}?agent=world`, { method: 'DELETE' });

  const last = new Map<number, TrooperRecord>();
  let moved = 0;
  const compare = async (): Promise<void> => {
    for (const slot of [1, 2, 3]) {
      const record = await recordOf(bus, slot);
      if (record === null) continue;
      await rounds.look();
      const before = last.get(slot);
      last.set(slot, record);
      if (before === undefined) continue;
      const played = rounds.all.filter(({ at }) => at > (before.last_round ?? '') && at <= (record.last_round ?? ''));
      expect(Math.abs(record.score - before.score)).toBeLessThanOrEqual(played.length);
      if (slot === 1) expect(record.score).toBe(0);
      if (record.score !== before.score) moved += 1;
    }
  };
  const watch = async (count: number): Promise<void> => {
    const until = rounds.newest!.round + count;
    while (rounds.newest!.round < until) {
      await compare();
      await pause(50);
    }
  };
  await watch(3);
  // The same round once more, as another writer would store it.
  const again = (await bus.get(KEYS.rpsState))!;
  const scores = [...last.values()].map(({ score, last_round }) => [score, last_round]);
  await bus.set(KEYS.rpsState, again, 20);
  await pause(600);
  await compare();
  if (scores[1]![1] === last.get(2)!.last_round) expect(last.get(2)!.score).toBe(scores[1]![0]);
  memcached.signal('SIGSTOP');
  await pause(3000);
  memcached.signal('SIGCONT');
  await watch(3);
  expect(moved).toBeGreaterThan(0);
  rounds.check();
  expect(new Set(rounds.all.slice(-3).map(({ task_id }) => task_id))).toEqual(new Set([tasks[0].id]));
  for (const slot of [2, 3]) {
    const record = (await recordOf(bus, slot))!;
    expect(record.trooper).toBe(last.get(slot)!.trooper);
    while ((await bus.get(KEYS.lastSeen(record.task_id)))! < record.last_round!) await pause(20);
  }
  while ((await bus.get(KEYS.heartbeat('world.4'))) !== null) {
    expect(await bus.get(KEYS.heartbeat('world.4'))).toSatisfy((text) => text === heartbeat || text === null);
    await pause(200);
  }
  expect(await bus.get(KEYS.heartbeat('world.1'))).not.toBeNull();
});

it('two services on one bus have one publisher, and the other takes over within two intervals when one falls asleep', async ({
  world,
}) => {
  using lateness = new Lateness();
  await using memcached = await Memcached.start();
  const env = { SWARM_SERVICES: 'world,world-b' };
  const { daemon, bus, post } = await world({
    memcached,
    replicas: 2,
    env,
    agents: { 'world-b': agentOf(memcached, { replicas: 2, env }) },
  });
  await daemon.wake('world-b', '/api/whoami');
  await post('/api/rps/config', { interval_seconds: 2 });
  const rounds = new Rounds(bus);
  for (let count = 0; count < 4; count += 1) await rounds.next();
  const ids = async (agent: string): Promise<readonly string[]> =>
    (await selfOf(daemon, agent)).tasks.map(({ id }: { id: string }) => id);
  const [a, b] = [await ids('world'), await ids('world-b')];
  const before = rounds.newest!;
  const holder = a.includes(before.task_id) ? 'world' : 'world-b';
  const others = holder === 'world' ? b : a;
  await daemon.admin(`/admin/agents/${holder}/sleep?force=true`, { method: 'POST' });
  while (!others.includes((await rounds.next()).task_id));
  const longest = rounds.check();
  expect(longest).toBeLessThanOrEqual(2 * INTERVAL_MS + lateness.allowedMs);
  expect(rounds.newest!.task_id).toBe(others[0]);
});

it('whenever its publisher is killed, there are never two publications of a round, nor more than two intervals without one', async ({
  world,
}) => {
  using lateness = new Lateness();
  const { daemon, bus, post } = await world({ replicas: 6 });
  await post('/api/rps/config', { interval_seconds: 2 });
  const rounds = new Rounds(bus);
  await rounds.next();
  const pids = () => new Map(daemon.run.log.flatMap(({ msg, task, pid }) => (msg === 'task started' ? [[task, pid]] : [])));
  /** Somebody else is in his seat: otherwise it would be measured how long Node takes to start. */
  const isFollowed = async (publisher: string): Promise<boolean> => {
    for (const { id, slot, state } of (await selfOf(daemon)).tasks) {
      if (id !== publisher && state === 'running' && (await recordOf(bus, slot))?.task_id === id) return true;
    }
    return false;
  };
  /** False: it was gone already, and this round is one without a kill. */
  const killed = (pid: number): boolean => {
    try {
      return process.kill(pid, 'SIGKILL');
    } catch {
      return false;
    }
  };
  let kills = 0;
  let waited = 0;
  while (kills < KILLS) {
    const { task_id: publisher } = await rounds.next();
    // Spread over the interval, from just after a round to just before the next.
    await pause((kills * 0.618 * INTERVAL_MS) % INTERVAL_MS);
    if (!(await isFollowed(publisher)) || !killed(Number(pids().get(publisher)))) {
      waited += 1;
      continue;
    }
    kills += 1;
  }
  await rounds.next();
  await rounds.next();
  const longestMs = rounds.check();
  const publishers = new Set(rounds.all.map(({ task_id }) => task_id)).size;
  const { allowedMs } = lateness;
  console.info({ rounds: rounds.all.length, kills, publishers, waited, longest_gap_ms: longestMs, machine_late_ms: allowedMs });
  expect(longestMs).toBeLessThanOrEqual(2 * INTERVAL_MS + allowedMs);
  await untilServing(daemon, 1);
});
