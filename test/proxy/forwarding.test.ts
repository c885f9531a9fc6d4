import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { peerOf, TrustedPeers } from '../../src/proxy/client-address.ts';
import { Bench, bodyOf, NO_RULES } from './support/bench.ts';
import { answering, dial, headsIn, RawConnection, values } from './support/raw.ts';

/** Which lines pass, and what the agent is told of the caller (RFC 9110 section 7.6.1, RFC 7239). */
let bench: Bench;
afterEach(() => bench.close());

describe('from a stranger', () => {
  test('RFC 7239 section 8.1, CVE-2026-3635: everything a caller claims about itself is overwritten', async () => {
    bench = await Bench.open();
    await bench.get(
      'X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\nForwarded: for=6.6.6.6\r\n' +
        'X-Real-IP: 6.6.6.6\r\nTrue-Client-IP: 6.6.6.6\r\nCF-Connecting-IP: 6.6.6.6\r\nCf-Access-Jwt-Assertion: evil\r\nX-Request-Id: evil\r\n',
    );
    const head = bench.backend.received;
    expect(head).not.toContain('6.6.6.6');
    expect(head).not.toContain('evil');
    expect(values(head, 'x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(values(head, 'x-forwarded-proto')).toEqual(['http']);
    expect(values(head, 'x-forwarded-host')).toEqual(['kai.test']);
    expect(values(head, 'forwarded')).toEqual(['for=127.0.0.1;host="kai.test";proto=http']);
  });

  test('Connection cannot name away what we add; what it names of the client vanishes (Apache CVE-2022-31813, CVE-2026-33805)', async () => {
    bench = await Bench.open();
    await bench.exchange(
      'GET / HTTP/1.1\r\nHost: kai.test\r\nConnection: X-Forwarded-For, X-Tenant, Host, X-Request-Id, close\r\nX-Tenant: a\r\nX-Other: b\r\n\r\n',
    );
    const head = bench.backend.received;
    expect(values(head, 'x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(values(head, 'x-request-id')).toHaveLength(1);
    expect(values(head, 'host')).toEqual(['kai.test']);
    expect(values(head, 'x-tenant')).toEqual([]);
    expect(values(head, 'x-other')).toEqual(['b']);
  });

  test('hop-by-hop lines of a request are dropped; duplicates and spelling of the rest survive', async () => {
    bench = await Bench.open();
    await bench.get(
      'Keep-Alive: timeout=1\r\nProxy-Authorization: x\r\nProxy-Connection: x\r\nTE: trailers\r\nTrailer: X\r\nCookie: a=1\r\nX-Twice: 1\r\nX-Twice: 2\r\n',
    );
    const head = bench.backend.received;
    for (const name of ['keep-alive', 'proxy-authorization', 'proxy-connection', 'te', 'trailer']) {
      expect(values(head, name)).toEqual([]);
    }
    expect(values(head, 'x-twice')).toEqual(['1', '2']);
    expect(head).toContain('\r\nX-Twice: 1\r\n');
    expect(values(head, 'cookie')).toEqual(['a=1']);
  });
});

describe('from a trusted proxy', () => {
  const open = () => Bench.open({ trustedProxies: ['loopback', '10.0.0.0/8'] });

  test('its X-Forwarded lines are believed, up to the first address that is no trusted proxy', async () => {
    bench = await open();
    await bench.get(
      'X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shown.test\r\n',
    );
    const head = bench.backend.received;
    expect(values(head, 'x-forwarded-for')).toEqual(['192.0.2.7, 10.1.1.1, 127.0.0.1']);
    expect(values(head, 'x-forwarded-proto')).toEqual(['https']);
    expect(values(head, 'x-forwarded-host')).toEqual(['shown.test']);
    expect(values(head, 'forwarded')).toEqual(['for=192.0.2.7;host="shown.test";proto=https, for=10.1.1.1, for=127.0.0.1']);
  });

  test('CF-Connecting-IP names the client, whatever X-Forwarded-For says, and passes on', async () => {
    bench = await open();
    await bench.get('X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\nCF-Connecting-IP: 2001:db8::1\r\n');
    const head = bench.backend.received;
    expect(values(head, 'x-forwarded-for')).toEqual(['2001:db8::1, 127.0.0.1']);
    expect(values(head, 'cf-connecting-ip')).toEqual(['2001:db8::1']);
    expect(values(head, 'forwarded')[0]).toContain('for="[2001:db8::1]"');
  });

  test('CVE-2026-3635: the same lines are believed from its address, and from no other', async () => {
    bench = await Bench.open({ trustedProxies: ['127.0.0.2'] });
    for (const localAddress of ['127.0.0.2', '127.0.0.3']) {
      const socket = connect({ ...bench.address, localAddress });
      await once(socket, 'connect');
      const client = new RawConnection(socket);
      client.send(
        'GET / HTTP/1.1\r\nHost: kai.test\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 192.0.2.7\r\n\r\n',
      );
      await client.untilClosed();
    }
    const [trusted, stranger] = headsIn(bench.backend.received);
    expect(values(trusted!, 'x-forwarded-for')).toEqual(['192.0.2.7, 127.0.0.2']);
    expect([values(trusted!, 'x-forwarded-proto'), values(trusted!, 'x-real-ip')]).toEqual([['https'], ['192.0.2.7']]);
    expect(values(stranger!, 'x-forwarded-for')).toEqual(['127.0.0.3']);
    expect([values(stranger!, 'x-forwarded-proto'), values(stranger!, 'x-real-ip')]).toEqual([['http'], []]);
  });

  test('nonsense in its lines is not passed on', async () => {
    bench = await open();
    await bench.get('X-Forwarded-For: "><script>\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Host: a b\r\n');
    const head = bench.backend.received;
    expect(values(head, 'x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(values(head, 'x-forwarded-proto')).toEqual(['http']);
    expect(values(head, 'x-forwarded-host')).toEqual(['kai.test']);
  });

  test('a sane X-Request-Id is kept, both ways; an insane one is made anew', async () => {
    bench = await open();
    expect(values(await bench.get('X-Request-Id: abc-1\r\n'), 'x-request-id')).toEqual(['abc-1']);
    expect(values(bench.backend.received, 'x-request-id')).toEqual(['abc-1']);
    for (const insane of ['a b', 'x'.repeat(129)]) {
      expect(values(await bench.get(`X-Request-Id: ${insane}\r\n`), 'x-request-id')[0]).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  test('a reload of trusted_proxies holds for the next connection', async () => {
    bench = await open();
    bench.server.reconfigure({ limits: bench.server.limits, trustedProxies: [], ignore: NO_RULES, logRequests: 'none' });
    await bench.get('X-Forwarded-For: 192.0.2.7\r\n');
    expect(values(bench.backend.received, 'x-forwarded-for')).toEqual(['127.0.0.1']);
  });
});

test('path access: peers on the private unix socket are trusted, and have no address of their own', async () => {
  bench = await Bench.open();
  const folder = await mkdtemp(join(tmpdir(), 'reveille-proxy-'));
  try {
    const path = join(folder, 'data.sock');
    await bench.server.listenLocal(path);
    const client = await dial(path);
    client.send(
      'GET / HTTP/1.1\r\nHost: kai.test\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n',
    );
    expect(bodyOf(await client.untilClosed())).toBe('ok');
    expect(values(bench.backend.received, 'x-forwarded-for')).toEqual(['192.0.2.7']);
    expect(values(bench.backend.received, 'x-forwarded-proto')).toEqual(['https']);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('hop-by-hop lines of an answer, and those its Connection names, are dropped (Hono CVE-2026-71849)', async () => {
  bench = await Bench.open({
    script: answering(
      'HTTP/1.1 200 OK\r\nConnection: X-Internal\r\nX-Internal: secret\r\nKeep-Alive: timeout=9\r\nProxy-Authenticate: x\r\nUpgrade: h2\r\n' +
        'Set-Cookie: a\r\nSet-Cookie: b\r\nX-Request-Id: theirs\r\nContent-Length: 2\r\n\r\nok',
    ),
  });
  const answer = await bench.get();
  for (const name of ['x-internal', 'keep-alive', 'proxy-authenticate', 'upgrade']) expect(values(answer, name)).toEqual([]);
  expect(values(answer, 'set-cookie')).toEqual(['a', 'b']);
  expect(values(answer, 'x-request-id')[0]).toBe(values(bench.backend.received, 'x-request-id')[0]);
});

test('trusted peers: CIDRs and words, IPv4 in IPv6, and no substring of either', async () => {
  bench = await Bench.open();
  const peers = new TrustedPeers(['private', '2001:db8::/32', '203.0.113.9']);
  for (const trusted of ['10.0.0.1', '172.31.255.255', '192.168.1.1', 'fd00::1', '2001:db8::5', '203.0.113.9']) {
    expect(peers.trusts(trusted)).toBe(true);
  }
  for (const stranger of ['11.0.0.1', '172.32.0.1', '127.0.0.1', '::1', '203.0.113.90', '2001:db9::5', 'x']) {
    expect(peers.trusts(stranger)).toBe(false);
  }
  expect(peerOf('::ffff:10.0.0.1', false, peers)).toEqual({ address: '10.0.0.1', trusted: true });
});
