import { describe, expect, test } from 'vitest';
import { millisOf } from '../../src/std/time.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { type House, house } from './harness.ts';

async function awake(agent: object, file: object = {}): Promise<House> {
  const open = await house({ agents: { kai: { idle: { timeout: '1h' }, ...agent } }, file: file as never });
  await open.ready();
  await open.clock.advance(100);
  return open;
}

describe('which task a request goes to', () => {
  test('the one with the least in flight, WebSockets counted; equals take turns', async () => {
    const open = await awake({ replicas: 3 });
    const portOf = () => open.admitted().target.address.port;
    const ports = [0, 1, 2].map((index) => open.port('kai', index));
    const counts = new Map<number, number>();
    for (let turn = 0; turn < 300; turn += 1) {
      const port = portOf();
      counts.set(port, (counts.get(port) ?? 0) + 1);
    }
    expect(ports.map((port) => counts.get(port))).toEqual([100, 100, 100]);

    const busy = await awake({ replicas: 2 });
    const first = busy.admitted('kai.test', 'upgrade');
    first.upgraded();
    const second = busy.admitted();
    const third = busy.admitted();
    expect(second.target.address).not.toEqual(first.target.address);
    second.end();
    expect(busy.admitted().target.address).not.toEqual(third.target.address);
  });

  test('requests that follow each other go to each task in turn', async () => {
    const open = await awake({ replicas: 2 });
    const ports = Array.from({ length: 10 }, () => {
      const work = open.admitted();
      work.end();
      return work.target.address.port;
    });
    expect(new Set(ports.slice(0, 2)).size).toBe(2);
    expect(ports.filter((port) => port === ports[0])).toHaveLength(5);
  });

  test('connections of one task, port and life share a key, and no others', async () => {
    const open = await awake({ replicas: 2 });
    const keys = new Set(Array.from({ length: 10 }, () => open.admitted().target.key));
    expect(keys.size).toBe(2);
    open.control.sleep('kai', { force: true });
    await open.clock.advance(3000);
    await open.ready();
    for (let turn = 0; turn < 10; turn += 1) expect(keys).not.toContain(open.admitted().target.key);
  });
});

describe('requests in flight', () => {
  test('are let in up to the limit; the one over it is refused, WebSockets and others that ended make room', async () => {
    const open = await awake({}, { limits: { in_flight: 10 } });
    const works = Array.from({ length: 10 }, () => open.admitted());
    const over = { kind: 'refused', problem: 'in-flight-limit', retryAfterSeconds: 1 };
    expect(open.ask()).toEqual(over);
    works[0]?.end();
    const socket = open.admitted('kai.test', 'upgrade');
    expect(open.ask()).toEqual(over);
    socket.upgraded();
    expect(open.ask().kind).toBe('admitted');
    expect(open.ask()).toEqual(over);
    await open.reload({ kai: { idle: { timeout: '1h' } } }, { limits: { in_flight: 11 } });
    expect(open.ask().kind).toBe('admitted');
    expect(open.ask()).toEqual(over);
  });

  test('end once, however often that is said', async () => {
    const open = await awake({});
    const [one, two] = [open.admitted(), open.admitted('kai.test', 'upgrade')];
    two.upgraded();
    two.upgraded();
    one.upgraded();
    for (const work of [one, two, one, two]) work.end();
    two.touch();
    two.upgraded();
    expect(open.runner().activity).toMatchObject({ inFlight: 0, sockets: 0, busy: false });
    expect(open.runner().activity.inFlightOf(open.tasks()[0]!)).toBe(0);
  });
});

describe('Retry-After', () => {
  test('is 3 until starts are measured, then the 90th percentile less what has passed, rounded up, never 0', async () => {
    const open = await house({ agents: { kai: {} } });
    expect(open.ask()).toMatchObject({ retryAfterSeconds: 3 });
    await open.clock.advance(399);
    expect(open.ask()).toMatchObject({ retryAfterSeconds: 3 });

    const store = new MemoryStore();
    for (let index = 1; index <= 10; index += 1) store.addStart('kai', millisOf(index * 1000));
    const measured = await house({ agents: { kai: {} }, engine: { startMs: 9000 }, store });
    expect(measured.ask()).toMatchObject({ state: 'sleeping', retryAfterSeconds: 9 });
    await measured.clock.advance(4100);
    expect(measured.ask()).toMatchObject({ state: 'starting', retryAfterSeconds: 5 });
    await measured.clock.advance(4890);
    expect(measured.ask()).toMatchObject({ state: 'starting', retryAfterSeconds: 1 });
  });

  test('a store that cannot keep a measured start holds nothing up', async () => {
    const open = await house();
    open.store.full = true;
    await open.ready();
    expect(open.runner().typicalStart).toBe(401);
    expect(open.log.lines.filter(({ level }) => level === 'warn')).toMatchObject([
      { message: 'measured start could not be kept' },
    ]);
  });
});
