import { expect, test } from 'vitest';
import { parseHost } from '../../../src/contract/hostname.ts';
import { addForwarding, believedRequestId, clientAddress, TrustedPeers } from '../../../src/proxy/client-address.ts';
import { readHead, wantsWebSocket } from '../../../src/proxy/head.ts';
import { listOf, REQUEST_FIELDS, sift, siftTrailers } from '../../../src/proxy/headers.ts';

/**
 * Values that are slow to read for a pattern that backtracks (ws CVE-2021-32640, path-to-regexp CVE-2024-45296). Counted in time
 * of the processor, so it does not matter what else runs; a pattern that goes wrong takes minutes for the longest of these.
 */
const SIZE = 64 * 1024;
const SHAPES: Readonly<Record<string, string>> = {
  commas: ','.repeat(SIZE),
  blanks: ' '.repeat(SIZE),
  'commas and blanks': ' ,'.repeat(SIZE / 2),
  'one long word': 'a'.repeat(SIZE),
  'a long word and its end': `${'a'.repeat(SIZE)}!`,
  dots: '.'.repeat(SIZE),
  labels: 'a.'.repeat(SIZE / 2),
  hyphens: `a${'-'.repeat(SIZE)}`,
  colons: ':'.repeat(SIZE),
  brackets: '['.repeat(SIZE),
  'an address that goes on': `[${'0:'.repeat(SIZE / 2)}`,
  digits: '1'.repeat(SIZE),
  'octets without end': '1.'.repeat(SIZE / 2),
  quotes: '"\\'.repeat(SIZE / 2),
  semicolons: ';q='.repeat(SIZE / 3),
  slashes: '/'.repeat(SIZE),
  blanks2tabs: '\t '.repeat(SIZE / 2),
};
const NAMES = [
  ...['Host', 'Connection', 'Upgrade', 'Expect', 'Content-Length', 'Transfer-Encoding', 'X-Forwarded-For', 'X-Forwarded-Proto'],
  ...['X-Forwarded-Host', 'Forwarded', 'CF-Connecting-IP', 'X-Request-Id', 'User-Agent', 'Trailer', 'TE', 'X'],
];
const PEERS = new TrustedPeers(['loopback', 'private']);
const PEER = { address: '127.0.0.1', trusted: true };
const LIMITS = { header_bytes: 10 * SIZE, header_lines: 200, uri_bytes: 10 * SIZE };

/** Everything that is read of a head, as it is read on the way of a request. */
function readAll(name: string, value: string): void {
  const rawHeaders = name === 'Host' ? [name, value] : ['Host', 'kai.test', name, value];
  for (const url of ['/', `http://${value}/`, `/${value}`]) {
    const raw = { method: 'GET', url, httpVersionMajor: 1, httpVersionMinor: 1, rawHeaders };
    readHead(raw, LIMITS, true, false);
    wantsWebSocket(raw, sift(rawHeaders, REQUEST_FIELDS, true));
  }
  const lines = sift(rawHeaders, REQUEST_FIELDS, true);
  addForwarding([], lines, PEER, PEERS, 'kai.test');
  clientAddress(lines, PEER, PEERS);
  believedRequestId(lines.requestId, PEER);
  siftTrailers([name, value, value.slice(0, 1000), value], REQUEST_FIELDS, [value]);
  parseHost(value);
  parseHost(value.slice(0, 262));
  listOf(value);
}

test.each(Object.entries(SHAPES))('64 KiB of %s take no time to speak of, in whatever line', (_shape, value) => {
  const before = process.cpuUsage();
  for (const name of NAMES) readAll(name, value);
  const { user, system } = process.cpuUsage(before);
  // 16 lines; about 5 ms each where nothing backtracks, which is minutes where something does.
  expect((user + system) / 1000).toBeLessThan(2_000);
});
