import { afterEach, expect, test } from 'vitest';
import { Bench, bodyOf, problemOf, statusOf } from './support/bench.ts';
import { values } from './support/raw.ts';

let bench: Bench;
afterEach(() => bench.close());

test('a request reaches its agent, and its answer the client', async () => {
  bench = await Bench.open();
  const answer = await bench.get('X-Mine: 1\r\n', '/a?b=c');
  expect(statusOf(answer)).toBe(200);
  expect(bodyOf(answer)).toBe('ok');
  const head = bench.backend.received;
  expect(head.startsWith('GET /a?b=c HTTP/1.1\r\n')).toBe(true);
  expect(values(head, 'x-mine')).toEqual(['1']);
  expect(values(head, 'x-forwarded-for')).toEqual(['127.0.0.1']);
  expect(values(head, 'host')).toEqual(['kai.test']);
});

test('an unknown host is 404', async () => {
  bench = await Bench.open();
  const answer = await bench.exchange('GET / HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n');
  expect(statusOf(answer)).toBe(404);
  expect(problemOf(answer)).toBe('unknown-host');
});

test('a WebSocket passes bytes both ways', async () => {
  bench = await Bench.open({
    script: (c) =>
      c.socket.once('data', () =>
        c.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi'),
      ),
  });
  const client = await bench.client();
  client.send('GET / HTTP/1.1\r\nHost: kai.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await client.until('\r\n\r\nhi');
  client.send('there');
  await (await bench.backend.connection(0)).until('there');
});
