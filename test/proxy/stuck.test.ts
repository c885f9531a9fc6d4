import { afterEach, describe, expect, test } from 'vitest';
import { millisOf } from '../../src/std/time.ts';
import { Bench, problemOf, statusOf } from './support/bench.ts';
import { answering, OK, type RawConnection, settled, until } from './support/raw.ts';

/** Who takes nothing of what waits for it holds nobody for ever, on whichever side it is and however small what waits is. */
let bench: Bench;
afterEach(() => bench.close());

const LIMITS = { body_idle: millisOf(10_000), first_byte: millisOf(20_000) };
const GET = 'GET / HTTP/1.1\r\nHost: kai.test\r\n\r\n';

test('body_idle holds for a small answer too: a client that asks and asks and never reads is cut', async () => {
  const body = 'x'.repeat(4000);
  const answer = `HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  bench = await Bench.open({ script: answering(answer), limits: LIMITS });
  const client = await bench.client();
  client.socket.pause();
  const open = (): number => bench.agent.open;
  // Until the kernel takes no more of it.
  for (let asked = 100; asked <= 20_000 && open() === 0; asked += 100) {
    client.send(GET.repeat(100));
    await until(() => bench.agent.admitted >= asked, 'the requests');
    if (open() > 0) await settled(open);
  }
  expect(bench.agent.open).toBeGreaterThan(0);
  await bench.clock.advance(9_000);
  expect(bench.agent.open).toBeGreaterThan(0);
  for (let seconds = 0; seconds < 4; seconds += 1) await bench.clock.advance(1_000);
  await until(() => bench.agent.open === 0, 'the end of the work');
});

test('first_byte holds for an agent that has begun its answer and takes no more of the upload', async () => {
  bench = await Bench.open({
    limits: LIMITS,
    script: (connection: RawConnection) =>
      connection.socket.once('data', () => {
        connection.socket.pause();
        connection.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n');
      }),
  });
  const client = await bench.client();
  client.send(`POST / HTTP/1.1\r\nHost: kai.test\r\nContent-Length: ${64 * 1024 * 1024}\r\n\r\n`);
  const block = Buffer.alloc(1024 * 1024);
  for (let sent = 0; sent < 64; sent += 1) client.socket.write(block);
  await client.until('200 OK');
  expect(await settled(() => client.socket.writableLength)).toBeGreaterThan(0);
  await bench.clock.advance(19_000);
  expect(bench.agent.open).toBe(1);
  await bench.clock.advance(2_000);
  await until(() => bench.agent.open === 0, 'the end of the work');
});

describe('the rest of a body that nobody wants', () => {
  const refused = async (): Promise<RawConnection> => {
    bench = await Bench.open({ limits: LIMITS });
    bench.agent.current = 'sleeping';
    const client = await bench.client();
    client.send('POST / HTTP/1.1\r\nHost: kai.test\r\nContent-Length: 10\r\n\r\nabc');
    expect(statusOf(await client.until('"status"'))).toBe(503);
    return client;
  };

  test('is dropped when it comes, and then its connection is as good as any other', async () => {
    const client = await refused();
    client.send('defghij');
    await settled(() => client.bytes);
    await bench.clock.advance(30_000);
    bench.agent.current = 'ready';
    client.send(GET);
    expect(await client.until('ok')).toContain('HTTP/1.1 200 OK');
  });

  test('ends its connection when it does not come within body_idle', async () => {
    const client = await refused();
    await bench.clock.advance(11_000);
    await client.untilClosed();
  });
});

test('RFC 9110 section 10.1.1: nothing is served behind an expectation that was refused, for a body may come instead', async () => {
  bench = await Bench.open({ script: answering(OK) });
  bench.agent.current = 'sleeping';
  const client = await bench.client();
  client.send(`POST / HTTP/1.1\r\nHost: kai.test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc${GET}`);
  const answer = await client.untilClosed();
  expect(answer.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 503']);
  expect(bench.agent.wanted).toHaveLength(1);
  expect(problemOf(answer)).toContain('no problem');
});
