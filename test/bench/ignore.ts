import { readHead } from '../../src/proxy/head.ts';
import { type Peer, TrustedPeers } from '../../src/proxy/client-address.ts';
import { IgnoreBook } from '../../src/proxy/ignore.ts';

/** What looking at the rules of `ignore` costs each request: `npm run bench:ignore`. */
const ROUNDS = 20_000;
const peers = new TrustedPeers(['loopback']);
const peer: Peer = { address: '127.0.0.1', trusted: true };
const CHROME = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36';
const LINES = ['Host', 'kai.test', 'Accept', '*/*', 'Accept-Encoding', 'gzip', 'Cookie', 'a=b', 'X-Forwarded-For', '192.0.2.7'];

function measure(
  title: string,
  method: string,
  rules: ConstructorParameters<typeof IgnoreBook>[0]['rules'],
  userAgent = CHROME,
): void {
  const book = new IgnoreBook({ defaults: true, rules });
  const own = { defaults: null, rules: [] };
  const limits = { header_bytes: 32768, header_lines: 200, uri_bytes: 8192 };
  const heads = Array.from({ length: 2 * ROUNDS }, () => {
    // Every request has a string of its own, as the parser makes it: one that was matched before would be cheaper by its hash.
    const rawHeaders = [...LINES, 'User-Agent', Buffer.from(userAgent).toString('latin1')];
    const head = readHead({ method, url: '/a/b', httpVersionMajor: 1, httpVersionMinor: 1, rawHeaders }, limits, true, false);
    if ('fault' in head) throw new Error(head.fault);
    return head;
  });
  let fitting = 0;
  const round = (from: number): void => {
    for (let at = from; at < from + ROUNDS; at += 1) {
      const head = heads[at];
      if (head !== undefined && book.match(own, head, peer, peers) !== null) fitting += 1;
    }
  };
  round(0);
  const start = process.hrtime.bigint();
  round(ROUNDS);
  const ns = Number(process.hrtime.bigint() - start) / ROUNDS;
  console.log(`${title.padEnd(64)} ${ns.toFixed(0).padStart(6)} ns a request${fitting > 0 ? ' (fits)' : ''}`);
}

const regex = { user_agent: 'my(company)?-(probe|check)/[0-9]+' };
measure('default set, GET of a browser', 'GET', []);
measure('default set, POST', 'POST', []);
measure('default set, a probe', 'HEAD', [], 'Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)');
measure('and one expression', 'GET', [regex]);
measure(
  'and 20 paths',
  'GET',
  Array.from({ length: 20 }, (_, at) => ({ path: [`/probe/${at}`] })),
);
measure('and one range', 'GET', [{ cidr: ['10.0.0.0/8'] }]);
measure('and one header', 'GET', [{ header: { name: 'X-Purpose', value: null } }]);
measure(
  'and 100 expressions',
  'GET',
  Array.from({ length: 100 }, (_, at) => ({ user_agent: `probe-?${at}/[0-9]+` })),
);
