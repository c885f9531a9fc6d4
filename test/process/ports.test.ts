import { once } from 'node:events';
import { type Server, createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { PortPool, type ReservedPorts } from '../../src/process/ports.ts';
import { freePort } from './rig.ts';

/** Listens on some port that the pool might give away. */
async function occupied(): Promise<number> {
  for (let port = 21_000; ; port += 1) {
    const server: Server = createServer();
    const listening = once(server, 'listening');
    server.listen(port, '127.0.0.1');
    const free = await listening.then(
      () => true,
      () => false,
    );
    if (!free) continue;
    onTestFinished(() => void server.close());
    return port;
  }
}

/** Everything but these is reserved. */
const allBut = (...ports: readonly number[]): ReservedPorts => {
  const others = Array.from({ length: 12_768 }, (_, index) => 20_000 + index).filter((port) => !ports.includes(port));
  return { own: new Set(others.filter((port) => port % 2 === 0)), fixed: new Set(others.filter((port) => port % 2 === 1)) };
};

describe('ports for tasks', () => {
  test('one that somebody else listens on is passed over, one that was given is not given again until it is free', async () => {
    const taken = await occupied();
    const pool = new PortPool('127.0.0.1', () => allBut(taken, taken + 7, taken + 9));
    const first = await pool.take(null);
    const second = await pool.take(null);
    const ports = [first, second].map((each) => (each.ok ? each.value : 0)).sort();
    expect(ports).toEqual([taken + 7, taken + 9]);
    expect(await pool.take(null)).toEqual({ ok: false, failure: 'no free port found in 1 tries between 20000 and 32767' });
    pool.free(taken + 9);
    expect(await pool.take(null)).toEqual({ ok: true, value: taken + 9 });
  });

  test('two that are wanted at once are not the same', async () => {
    const pool = new PortPool('127.0.0.1', () => ({ own: new Set(), fixed: new Set() }));
    const all = await Promise.all(Array.from({ length: 20 }, () => pool.take(null)));
    expect(new Set(all.map((each) => (each.ok ? each.value : 0))).size).toBe(20);
  });

  test('two daemons of one machine never give away the same one, though nobody listens on it yet', async () => {
    const free = await freePort();
    const pools = [0, 1].map(() => new PortPool('127.0.0.1', () => allBut(free)));
    expect(await pools[0]?.take(null)).toEqual({ ok: true, value: free });
    expect(await pools[1]?.take(null)).toMatchObject({ ok: false });
    pools[0]?.free(free);
    expect(await pools[1]?.take(null)).toEqual({ ok: true, value: free });
    pools[1]?.free(free);
  });

  test('a fixed one is given to its task, and refused while it is held, when it is the daemon itself that has it, and when somebody listens on it', async () => {
    const [free, reserved, taken] = [await freePort(), 9180, await occupied()];
    const pool = new PortPool('127.0.0.1', () => ({ own: new Set([reserved]), fixed: new Set([free]) }));
    expect(await pool.take(free)).toEqual({ ok: true, value: free });
    const held = (port: number) => ({ ok: false, failure: `port ${port} is held by another task or by the daemon itself` });
    expect(await pool.take(free)).toEqual(held(free));
    expect(await pool.take(reserved)).toEqual(held(reserved));
    expect(await pool.take(taken)).toEqual({ ok: false, failure: `port ${taken} is taken by another process` });
    pool.free(free);
    expect(await pool.take(free)).toEqual({ ok: true, value: free });
    pool.free(free);
  });
});
