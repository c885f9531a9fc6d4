import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../support/memory-store.ts';
import { type House, caller, house } from './harness.ts';

const SWARM = { name: 'swarm' } as const;
const shown = (open: House): string | null => {
  const view = open.control.agent('kai');
  return view.ok ? view.value.last_activity : 'none';
};
const wall = (open: House): number => open.clock.wall();
const kept = (open: House): number | null => open.store.lastActivity('kai');

async function awake(options: object = {}): Promise<House> {
  const open = await house({ agents: { kai: { idle: { timeout: '1d' } } }, engine: SWARM, ...options });
  await open.ready();
  await open.clock.advance(5000);
  return open;
}

/** One request, as long as it is said to be. */
async function request(open: House, ms: number): Promise<number> {
  const work = open.admitted();
  await open.clock.advance(ms);
  work.end();
  return wall(open);
}

describe('last activity', () => {
  it('is shown after a restart as before, also when the daemon was killed', async () => {
    const first = await awake();
    expect(shown(first)).toBeNull();
    const end = await request(first, 300);
    await first.clock.advance(60_000);
    expect(shown(first)).toBe(new Date(end).toISOString());
    // Without a last word: what is kept now is what a daemon that was killed has left behind.
    const second = await house({ agents: { kai: {} }, engine: first.killed().engine, store: first.store, clock: first.clock });
    expect(shown(second)).toBe(new Date(end).toISOString());
    expect(second.runner().lastUse.at).toBe(end);
  });

  it('is on disk a second after the end of work at the latest, and not written more often than that', async () => {
    const open = await awake();
    const before = open.store.writes;
    for (let each = 0; each < 1000; each += 1) {
      const end = await request(open, 10);
      expect(end - (kept(open) ?? end)).toBeLessThanOrEqual(1000);
    }
    expect(open.store.writes - before).toBeLessThanOrEqual(11);
    const end = wall(open);
    await open.clock.advance(1000);
    expect(kept(open)).toBe(end);
    const idle = open.store.writes;
    await open.clock.advance(600_000);
    expect(open.store.writes).toBe(idle);
  });

  it('is now while there is work, a busy lease included, and on disk every minute of it', async () => {
    const open = await awake();
    open.control.takeLease(caller(), 3_600_000 as never, 'building');
    const before = open.store.writes;
    await open.clock.advance(600_000);
    expect(shown(open)).toBe(new Date(wall(open)).toISOString());
    expect(wall(open) - kept(open)!).toBeLessThanOrEqual(60_000);
    expect(open.store.writes - before).toBeLessThanOrEqual(11);
  });

  it('is written when the daemon ends, however recent', async () => {
    const open = await awake();
    await request(open, 10);
    await open.clock.advance(500);
    const end = await request(open, 10);
    expect(kept(open)).toBeLessThan(end);
    open.fleet.close();
    expect(kept(open)).toBe(end);
  });

  it('does not count for idleness: that begins with the daemon', async () => {
    const first = await awake({ agents: { kai: { idle: { timeout: '10m' } } } });
    await request(first, 10);
    await first.clock.advance(540_000);
    const second = first.killed();
    await second.open();
    await second.clock.advance(590_000);
    expect(second.state()).toBe('ready');
    await second.clock.advance(11_000);
    expect(second.state()).not.toBe('ready');
    await second.close();
  });

  it('is never in the future, though the clock was set back', async () => {
    const store = new MemoryStore();
    store.putLastActivity('kai', Date.parse('2027-01-01T00:00:00Z') as never);
    const open = await house({ agents: { kai: {} }, store });
    expect(shown(open)).toBe('2026-01-01T00:00:00.000Z');
  });

  it('goes on under another policy of the same agent, and is forgotten with the agent', async () => {
    const open = await awake();
    const end = await request(open, 10);
    await open.reload({ kai: { policy: 'always-on' } });
    expect(shown(open)).toBe(new Date(end).toISOString());
    await open.reload({ eve: {} });
    expect(kept(open)).toBeNull();
    await open.reload({ kai: {} });
    expect(shown(open)).toBeNull();
  });

  it('a store that cannot keep it holds nothing up, and the log says so once', async () => {
    const open = await awake();
    open.store.full = true;
    for (let each = 0; each < 5; each += 1) {
      await request(open, 10);
      await open.clock.advance(2000);
    }
    expect(shown(open)).not.toBeNull();
    expect(open.log.lines.filter(({ message }) => message.startsWith('last activity'))).toMatchObject([
      { level: 'warn', message: 'last activity could not be kept' },
    ]);
  });
});
