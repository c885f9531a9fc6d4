import { afterEach, expect, test } from 'vitest';
import { millisOf } from '../../src/std/time.ts';
import { Bench, problemOf, statusOf } from './support/bench.ts';
import { OK, type RawConnection, until, values } from './support/raw.ts';

/** The public port's part of promise K, and the traps of node:http in it (server.close is not enough for any of them). */
let bench: Bench;
afterEach(() => bench.close());

const silent = (): void => undefined;
const GET = 'GET / HTTP/1.1\r\nHost: kai.test\r\n\r\n';

async function inFlight(): Promise<{ client: RawConnection; agent: RawConnection }> {
  bench = await Bench.open({ script: silent });
  const client = await bench.client();
  client.send(GET);
  const agent = await bench.backend.connection(0);
  await agent.until('\r\n\r\n');
  return { client, agent };
}

test('K: what is in flight is finished, and its connection ends with it', async () => {
  const { client, agent } = await inFlight();
  let isDrained = false;
  const drained = bench.server.drain(millisOf(30_000)).then(() => (isDrained = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(isDrained).toBe(false);
  agent.send(OK);
  const answer = await client.untilClosed();
  expect(statusOf(answer)).toBe(200);
  expect(values(answer, 'connection')).toEqual(['close']);
  await drained;
});

test('K: an answer that had already promised to keep its connection is finished, and the connection ended', async () => {
  const { client, agent } = await inFlight();
  agent.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc');
  await client.until('abc');
  const drained = bench.server.drain(millisOf(30_000));
  agent.send('def');
  expect((await client.untilClosed()).endsWith('abcdef')).toBe(true);
  await drained;
});

test('K: a connection whose answer is done ends at once, while others still work', async () => {
  const { client, agent } = await inFlight();
  const other = await bench.client();
  other.send(GET);
  const second = await bench.backend.connection(1);
  await second.until('\r\n\r\n');
  agent.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc');
  await Promise.race([client.until('abc'), other.until('abc')]);
  const drained = bench.server.drain(millisOf(30_000));
  agent.send('def');
  await until(() => client.closed || other.closed, 'the end of one');
  expect(bench.agent.open).toBe(1);
  second.send(OK);
  await Promise.all([client.untilClosed(), other.untilClosed()]);
  await drained;
});

test('K: nothing new is accepted', async () => {
  const { agent, client } = await inFlight();
  const drained = bench.server.drain(millisOf(30_000));
  await expect(bench.client()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  agent.send(OK);
  await client.untilClosed();
  await drained;
});

test('K: a request on a connection that is still open is 503 draining and ends it', async () => {
  const { client, agent } = await inFlight();
  const drained = bench.server.drain(millisOf(30_000));
  client.send(GET);
  agent.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  const answer = await client.untilClosed();
  // Behind an answer with `Connection: close` node drops it unanswered, which the client may send again.
  expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
  expect(bench.agent.admitted).toBe(1);
  await drained;
});

test('K: a request whose head was half sent when the shutdown began is 503 draining', async () => {
  const { client, agent } = await inFlight();
  const late = await bench.client();
  late.send('GET / HTTP/1.1\r\nHost: kai.test\r\n');
  await new Promise((resolve) => setTimeout(resolve, 20));
  const drained = bench.server.drain(millisOf(30_000));
  const answer = await late.send('\r\n').untilClosed();
  expect(statusOf(answer)).toBe(503);
  expect(problemOf(answer)).toBe('draining');
  expect(values(answer, 'connection')).toEqual(['close']);
  agent.send(OK);
  await client.untilClosed();
  await drained;
});

test('K: idle connections, half-sent heads and silent connections hold nothing up', async () => {
  bench = await Bench.open();
  const idle = await bench.client();
  await idle.send(GET).until('ok');
  const half = await bench.client();
  half.send('GET / HTTP/1.1\r\nHos');
  const mute = await bench.client();
  await new Promise((resolve) => setTimeout(resolve, 20));
  await bench.server.drain(millisOf(30_000));
  await Promise.all([idle.untilClosed(), half.untilClosed(), mute.untilClosed()]);
});

test('K: WebSockets are closed with 1001 at once', async () => {
  bench = await Bench.open({
    script: (connection) =>
      connection.socket.once('data', () =>
        connection.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
      ),
  });
  const client = await bench.client();
  await client.send('GET / HTTP/1.1\r\nHost: kai.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n').until('\r\n\r\n');
  await bench.server.drain(millisOf(30_000));
  expect((await client.untilClosed()).endsWith('\x88\x02\x03\xe9')).toBe(true);
  expect(bench.agent.open).toBe(0);
});

test('K: an upgrade that is agreed to during the shutdown is told so at once, with a Close 1001, and holds nobody up', async () => {
  bench = await Bench.open({ script: silent });
  const half = await bench.client();
  half.send('GET / HTTP/1.1\r\nHost: kai');
  const client = await bench.client();
  client.send('GET / HTTP/1.1\r\nHost: kai.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  const agent = await bench.backend.connection(0);
  await agent.until('\r\n\r\n');
  const drained = bench.server.drain(millisOf(30_000));
  agent.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  const answer = await client.untilClosed();
  expect(statusOf(answer)).toBe(101);
  expect(answer.endsWith('\r\n\r\n\x88\x02\x03\xe9')).toBe(true);
  await half.untilClosed();
  await drained;
  expect(bench.agent.open).toBe(0);
});

test('K: what is not done within the time is cut', async () => {
  const { client, agent } = await inFlight();
  const drained = bench.server.drain(millisOf(5_000));
  await bench.clock.advance(4_900);
  expect(client.closed).toBe(false);
  await bench.clock.advance(200);
  await drained;
  expect(await client.untilClosed()).toBe('');
  await until(() => agent.closed, 'the end of the connection to the agent');
  expect(bench.agent.open).toBe(0);
});

test('K: a second order to end cuts at once', async () => {
  const { client } = await inFlight();
  const first = bench.server.drain(millisOf(30_000));
  const second = bench.server.drain(millisOf(0));
  await Promise.all([first, second]);
  expect(await client.untilClosed()).toBe('');
});
