import { randomUUID } from 'node:crypto';
import { describe, expect, it as plainIt } from 'vitest';
import { BusError } from '../../agents/world/bus-error.ts';
import { type Bus, connectBus } from '../../agents/world/bus.ts';
import { appendTo, parseList } from '../../agents/world/lists.ts';
import { Memcached } from '../support/memcached.ts';

const it = plainIt.extend<{ memcached: Memcached; bus: Bus }>({
  memcached: async ({}, use) => {
    await using memcached = await Memcached.start();
    await use(memcached);
  },
  bus: async ({ memcached }, use) => {
    const bus = connectBus(memcached.place);
    await use(bus);
    bus.close();
  },
});

describe('the bus at a real memcached', () => {
  it('tells nothing from silence: a missing value is null, a server that is away is an error, and it comes back by itself', async ({
    memcached,
    bus,
  }) => {
    expect(await bus.get('a')).toBeNull();
    await bus.set('a', 'ä', 0);
    memcached.signal('SIGSTOP');
    await expect(bus.get('a')).rejects.toThrow(BusError);
    await expect(bus.set('a', 'x', 0)).rejects.toThrow(BusError);
    memcached.signal('SIGCONT');
    // What was sent to the silent server may still be carried out, so only that it answers is known.
    expect(['ä', 'x']).toContain(await bus.get('a'));
    await memcached[Symbol.asyncDispose]();
    await expect(bus.get('a')).rejects.toThrow(BusError);
    await using again = await Memcached.start([], memcached.port);
    expect(again.port).toBe(memcached.port);
    expect(await bus.get('a')).toBeNull();
  });

  it('stores by compare-and-set only where nobody else has stored', async ({ bus }) => {
    expect(await bus.gets('k')).toBeNull();
    expect(await bus.add('k', '1', 0)).toBe(true);
    expect(await bus.add('k', '2', 0)).toBe(false);
    const found = await bus.gets('k');
    expect(found?.value).toBe('1');
    expect(await bus.cas('k', '3', 0, found!.version)).toBe(true);
    expect(await bus.cas('k', '4', 0, found!.version)).toBe(false);
    expect(await bus.cas('nothing', '4', 0, found!.version)).toBe(false);
    expect(await bus.get('k')).toBe('3');
    expect(await bus.delete('k')).toBe(true);
    expect(await bus.delete('k')).toBe(false);
    expect([await bus.increment('n', 1, 1), await bus.increment('n', 1, 1)]).toEqual([1, 2]);
    await bus.set('e', '', 0);
    expect([...(await bus.getMany(['n', 'nothing', 'e']))]).toEqual([
      ['n', '2'],
      ['e', ''],
    ]);
  });

  it('keeps an entry to its own key, whatever the key holds', async ({ bus }) => {
    await expect(bus.set('a b', 'x', 0)).rejects.toThrow('not a key');
    await expect(bus.set('a\r\nflush_all', 'x', 0)).rejects.toThrow('not a key');
    await expect(bus.get('')).rejects.toThrow('not a key');
  });

  it('fifty appends at once through five connections: the newest forty, each once, in one order for every reader', async ({
    memcached,
    bus,
  }) => {
    const others = [0, 1, 2, 3, 4].map(() => connectBus(memcached.place));
    const ids = Array.from({ length: 50 }, () => randomUUID());
    await Promise.all(ids.map((id, index) => appendTo(others[index % 5]!, 'list', { id }, 40, 60)));
    const lists = await Promise.all(others.map(async (other) => parseList(await other.get('list'))));
    for (const list of lists) expect(list).toEqual(lists[0]);
    expect(new Set(lists[0]!.map((entry) => (entry as { id: string }).id)).size).toBe(40);
    await appendTo(bus, 'list', lists[0]![5] as { id: string }, 40, 60);
    expect(parseList(await bus.get('list'))).toEqual(lists[0]);
    for (const other of others) other.close();
  });

  it('a list that cannot be read is not written', async ({ memcached, bus }) => {
    await appendTo(bus, 'list', { id: '1' }, 40, 60);
    memcached.signal('SIGSTOP');
    await expect(appendTo(bus, 'list', { id: '2' }, 40, 60)).rejects.toThrow(BusError);
    memcached.signal('SIGCONT');
    expect(parseList(await bus.get('list'))).toContainEqual({ id: '1' });
  });
});
