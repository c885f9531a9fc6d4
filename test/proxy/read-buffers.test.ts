import { afterEach, expect, test } from 'vitest';
import { Bench } from './support/bench.ts';
import { until } from './support/raw.ts';

/** Agents are read into memory that is used again (read-buffers.ts): nobody may see there what was meant for another. */
let bench: Bench;
afterEach(() => bench.close());

const GET = 'GET / HTTP/1.1\r\nHost: kai.test\r\n\r\n';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

test('small chunks that wait behind an earlier answer stay what they were when another agent is read', async () => {
  bench = await Bench.open({ script: () => undefined });
  const client = await bench.client();
  client.send(GET.repeat(2));
  const first = await bench.backend.connection(0);
  const second = await bench.backend.connection(1);
  await second.until('\r\n\r\n');
  // In one packet: what comes by itself goes out by itself.
  second.send(`${CHUNKED}${['a', 'b', 'c', 'd'].map((letter) => `bb8\r\n${letter.repeat(3000)}\r\n`).join('')}0\r\n\r\n`);
  await until(() => bench.metrics.values.get('proxied_bytes_total{agent="kai",direction="out"}') === 12_000, 'all of it');
  first.send(`HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n${'X'.repeat(60_000)}`);
  const answers = await client.until('\r\n0\r\n\r\n');
  const runs = answers.match(/([a-dX])\1{9,}/g) ?? [];
  expect(runs.map((run) => `${run.length} ${run[0]}`)).toEqual(['60000 X', '3000 a', '3000 b', '3000 c', '3000 d']);
});
