import { setTimeout as pause } from 'node:timers/promises';
import { expect, it as plainIt } from 'vitest';
import { Keeper } from '../../agents/membus/keeper.ts';
import { type Server, type ServerLimits, listen } from '../../agents/membus/server.ts';
import { Store } from '../../agents/membus/store.ts';
import { RawClient } from '../support/raw-client.ts';

/** A server with limits that a test can reach. Both are gone at its end. */
const it = plainIt.extend<{
  serving: (limits: Partial<ServerLimits>) => Promise<Server & { open(): Promise<RawClient>; readonly keeper: Keeper }>;
}>({
  serving: async ({}, use) => {
    const ends: (() => Promise<void>)[] = [];
    await use(async (limits) => {
      const store = new Store({ bytesMax: 64 * 1024 * 1024, lastUnique: 0 });
      const keeper = new Keeper(store, { write: () => undefined }, () => ['END\r\n']);
      const server = await listen({
        host: '127.0.0.1',
        port: 0,
        carryOut: (requests) => keeper.carryOut(requests, Date.now()),
        limits: { lookEveryMs: 10, stopMs: 100, ...limits },
      });
      ends.push(() => server.close());
      const open = (): Promise<RawClient> => RawClient.open({ host: '127.0.0.1', port: server.port });
      return Object.assign(Object.create(server) as Server, { open, keeper });
    });
    for (const end of ends) await end();
  },
});

it('cuts a client that begins a request and does not end it, however slowly it goes on', async ({ serving }) => {
  const server = await serving({ stuckMs: 100 });
  await using silent = await server.open();
  silent.send('set a 0 0 100\r\nbegun');
  await using slow = await server.open();
  slow.send('set a 0 0 1000000\r\n');
  const trickle = setInterval(() => slow.send('x'), 5);
  await using halfLine = await server.open();
  halfLine.send('get a');
  await using well = await server.open();
  expect(await well.ask('set a 0 0 1\r\nx\r\n')).toBe('STORED\r\n');
  expect([await silent.untilClosed(), await slow.untilClosed(), await halfLine.untilClosed()]).toEqual(['', '', '']);
  clearInterval(trickle);
  expect(await well.ask('get a\r\n')).toBe('VALUE a 0 1\r\nx\r\nEND\r\n');
});

it('closes a connection on which nothing is asked for long', async ({ serving }) => {
  const server = await serving({ idleMs: 50 });
  await using raw = await server.open();
  await raw.ask('');
  expect(await raw.untilClosed()).toBe('');
});

it('tells one client too many that it is, and takes it when another has gone', async ({ serving }) => {
  const server = await serving({ connectionsMax: 2 });
  const first = await server.open();
  await using second = await server.open();
  expect([await first.ask(''), await second.ask('')]).toEqual(['', '']);
  await using third = await server.open();
  expect(await third.untilClosed()).toBe('ERROR Too many open connections\r\n');
  expect(server.connections).toBe(2);
  await first[Symbol.asyncDispose]();
  await expect.poll(() => server.connections).toBe(1);
  await using fourth = await server.open();
  expect(await fourth.ask('')).toBe('');
});

it('reads nothing more from a client that does not take its answers, holds no copies of them, and cuts it in the end', async ({
  serving,
}) => {
  const server = await serving({ stuckMs: 2000 });
  await using raw = await server.open();
  await raw.ask(`set a 0 0 1000000\r\n${'x'.repeat(1_000_000)}\r\n`);
  await using greedy = await server.open();
  greedy.socket.pause();
  const before = process.memoryUsage();
  // Asks for 100 GB of answers.
  for (let count = 0; count < 100; count += 1) greedy.send('get a\r\n'.repeat(1000));
  await expect.poll(() => server.keeper.tally.gets).toBeGreaterThan(0);
  expect(await raw.ask('')).toBe('');
  await expect.poll(() => server.connections, { timeout: 20_000 }).toBe(1);
  const after = process.memoryUsage();
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(50_000_000);
  // One batch, and what was left of one before it.
  expect(server.keeper.tally.gets).toBeLessThan(300);
});

it('cuts a client that asks for nothing more and leaves its answers where they are', async ({ serving }) => {
  const server = await serving({ stuckMs: 300 });
  await using raw = await server.open();
  raw.socket.pause();
  // More than the system takes for it.
  raw.send(`set a 0 0 1000000 noreply\r\n${'x'.repeat(1_000_000)}\r\n${'get a\r\n'.repeat(8)}`);
  await expect.poll(() => server.connections, { timeout: 20_000 }).toBe(0);
  expect(server.keeper.tally.gets).toBe(8);
});

it('gives all answers to a client that takes them slowly', async ({ serving }) => {
  const server = await serving({ stuckMs: 10_000 });
  await using raw = await server.open();
  const value = 'x'.repeat(500_000);
  await raw.ask(`set a 0 0 500000\r\n${value}\r\n`);
  raw.socket.pause();
  raw.send('get a\r\n'.repeat(40));
  await pause(50);
  raw.socket.resume();
  expect(await raw.ask('')).toBe(`VALUE a 0 500000\r\n${value}\r\nEND\r\n`.repeat(40));
});

it('when it stops, answers what it has read, lets what was begun be ended, and waits no longer than it may', async ({
  serving,
}) => {
  const server = await serving({ stopMs: 1500 });
  await using asked = await server.open();
  await using begun = await server.open();
  await using never = await server.open();
  await Promise.all([asked.ask(''), begun.ask(''), never.ask('')]);
  asked.send('set a 0 0 1\r\nx\r\nget a\r\n');
  begun.send('set b 0 0 2\r\nx');
  never.send('set c 0 0 2\r\nx');
  await expect.poll(() => asked.received).toContain('END');
  const closed = server.close();
  expect(await asked.untilClosed()).toBe('STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n');
  begun.send('y\r\n');
  expect(await begun.untilClosed()).toBe('STORED\r\n');
  expect(await never.untilClosed()).toBe('');
  await closed;
  await expect.poll(() => server.connections).toBe(0);
});
