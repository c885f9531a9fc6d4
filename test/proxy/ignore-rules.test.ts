import { describe, expect, test } from 'vitest';
import { ConfigFile, type AgentIgnoreConfig, type IgnoreRule } from '../../src/contract/config.ts';
import { type Peer, TrustedPeers } from '../../src/proxy/client-address.ts';
import { readHead, type RequestHead } from '../../src/proxy/head.ts';
import { IgnoreBook } from '../../src/proxy/ignore.ts';

const PEERS = new TrustedPeers(['loopback', '10.1.0.0/16']);
const PROXY: Peer = { address: '127.0.0.1', trusted: true };
const STRANGER: Peer = { address: '192.0.2.9', trusted: false };
const SOCKET: Peer = { address: null, trusted: true };
const NOTHING: AgentIgnoreConfig = { defaults: null, rules: [] };
const CHROME = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36';

function head(line: string, headers: readonly string[] = [], peer = PROXY): RequestHead {
  const [method, url] = line.split(' ');
  const raw = { method, url, httpVersionMajor: 1, httpVersionMinor: 1, rawHeaders: ['Host', 'kai.test', ...headers] };
  const read = readHead(raw, { header_bytes: 32768, header_lines: 200, uri_bytes: 8192 }, peer.trusted, false);
  if ('fault' in read) throw new Error(read.fault);
  return read;
}

/** What one rule of the top level makes of a request; null: it does not fit. */
function verdict(rule: IgnoreRule, line: string, headers: readonly string[] = [], peer = PROXY) {
  return new IgnoreBook({ defaults: false, rules: [rule] }).match(NOTHING, head(line, headers, peer), peer, PEERS);
}

const fits = (...asked: Parameters<typeof verdict>): boolean => verdict(...asked) !== null;

describe('a rule', () => {
  test('without * names one path, with it everything that begins so, and never looks at the query', () => {
    expect(fits({ path: ['/a'] }, 'GET /a?b=/c')).toBe(true);
    expect(fits({ path: ['/a'] }, 'GET /a/')).toBe(false);
    expect(fits({ path: ['/a'] }, 'GET /A')).toBe(false);
    expect(fits({ path: ['/a/*'] }, 'GET /a/b/c')).toBe(true);
    expect(fits({ path: ['/a/*'] }, 'GET /a')).toBe(false);
    expect(fits({ path: ['/x', '/b*'] }, 'GET /bcd')).toBe(true);
    expect(fits({ path: ['/a*'] }, 'GET /?/a')).toBe(false);
  });

  test('fits only what all of its parts fit', () => {
    const rule: IgnoreRule = {
      path: ['/p'],
      method: ['GET', 'HEAD'],
      user_agent: 'probe',
      header: { name: 'X-A', value: '^1$' },
      cidr: ['127.0.0.1'],
    };
    const headers = ['User-Agent', 'My Probe', 'x-a', '1'];
    expect(fits(rule, 'HEAD /p', headers)).toBe(true);
    expect(fits(rule, 'POST /p', headers)).toBe(false);
    expect(fits(rule, 'GET /q', headers)).toBe(false);
    expect(fits(rule, 'GET /p', ['User-Agent', 'Mine', 'x-a', '1'])).toBe(false);
    expect(fits(rule, 'GET /p', ['User-Agent', 'My Probe', 'x-a', '11'])).toBe(false);
    expect(fits(rule, 'GET /p', ['User-Agent', 'My Probe'])).toBe(false);
    expect(fits(rule, 'GET /p', headers, STRANGER)).toBe(false);
  });

  test('looks for its expression anywhere in a value and in any case of letters, as far as 512 characters', () => {
    const rule: IgnoreRule = { user_agent: 'bot/[0-9]' };
    expect(fits(rule, 'GET /', ['User-Agent', 'a BOT/1'])).toBe(true);
    expect(fits(rule, 'GET /')).toBe(false);
    expect(fits(rule, 'GET /', ['User-Agent', `${'x'.repeat(507)}bot/1`])).toBe(true);
    expect(fits(rule, 'GET /', ['User-Agent', `${'x'.repeat(508)}bot/1`])).toBe(false);
  });

  test('asks whether a header line is there, or for any of those of its name', () => {
    expect(fits({ header: { name: 'Purpose', value: null } }, 'GET /', ['purpose', ''])).toBe(true);
    expect(fits({ header: { name: 'Purpose', value: null } }, 'GET /', ['X-Purpose', 'a'])).toBe(false);
    expect(fits({ header: { name: 'X', value: 'b' } }, 'GET /', ['X', 'a', 'x', 'b'])).toBe(true);
  });

  test('goes by the address that a trusted proxy vouches for, and by none on the socket of path access', () => {
    const rule: IgnoreRule = { cidr: ['198.51.100.0/24', '2001:db8::/32'] };
    const forwarded = ['X-Forwarded-For', '203.0.113.1, 198.51.100.7, 10.1.2.3'];
    expect(fits(rule, 'GET /', forwarded)).toBe(true);
    expect(fits(rule, 'GET /', forwarded, STRANGER)).toBe(false);
    expect(fits(rule, 'GET /', ['CF-Connecting-IP', '2001:db8::5'])).toBe(true);
    expect(fits(rule, 'GET /', ['CF-Connecting-IP', '2001:db8::5'], STRANGER)).toBe(false);
    expect(fits(rule, 'GET /', forwarded, SOCKET)).toBe(false);
    expect(fits({ cidr: ['192.0.2.9'] }, 'GET /', [], STRANGER)).toBe(true);
  });

  test('has the 503 of a sleeping agent for an answer, or its own, which is JSON where it is an object', () => {
    const answer = (body: string) => verdict({ path: ['/a'], answer: { status: 200, body } }, 'GET /a');
    expect(verdict({ path: ['/a'] }, 'GET /a')).toEqual({ kind: 'unavailable' });
    expect(answer('ok')).toEqual({ kind: 'text', status: 200, contentType: 'text/plain; charset=utf-8', body: 'ok' });
    expect(answer('{"a":1}')).toMatchObject({ contentType: 'application/json' });
    expect(answer('{"a":1')).toMatchObject({ contentType: 'text/plain; charset=utf-8' });
    expect(answer('[1]')).toMatchObject({ contentType: 'text/plain; charset=utf-8' });
  });

  test('of the agent comes before those of the top level, and both before the default ones', () => {
    const book = new IgnoreBook({ defaults: true, rules: [{ path: ['/robots.txt', '/b'], answer: { status: 201, body: '' } }] });
    const agent: AgentIgnoreConfig = { defaults: null, rules: [{ path: ['/b'], answer: { status: 202, body: '' } }] };
    const said = (ignore: AgentIgnoreConfig, path: string) => book.match(ignore, head(`GET ${path}`), PROXY, PEERS);
    expect(said(agent, '/b')).toMatchObject({ status: 202 });
    expect(said(NOTHING, '/b')).toMatchObject({ status: 201 });
    expect(said(agent, '/robots.txt')).toMatchObject({ status: 201 });
    expect(said(agent, '/favicon.ico')).toMatchObject({ status: 204 });
  });
});

describe('the default set', () => {
  const said = (line: string, userAgent: string, top = true, own: boolean | null = null) =>
    new IgnoreBook({ defaults: top, rules: [] }).match(
      { defaults: own, rules: [] },
      head(line, ['User-Agent', userAgent]),
      PROXY,
      PEERS,
    )?.kind ?? null;

  test.each([
    'Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)',
    'Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)',
    'Better Stack Better Uptime Bot Mozilla/5.0 (Windows NT 10.0; Win64; x64)',
    'GoogleStackdriverMonitoring-UptimeChecks(https://cloud.google.com/monitoring)',
    'Amazon-Route53-Health-Check-Service (ref a; report http://amzn.to/1vsZADi)',
    'ELB-HealthChecker/2.0',
    'GoogleHC/1.0',
    'kube-probe/1.29',
    'Uptime-Kuma/1.23.13',
    'HetrixTools Uptime Monitoring Bot. https://hetrix.tools/uptime-monitoring-bot.html',
    'updown.io daemon 2.11',
    'Mozilla/5.0 (compatible; Cloudflare-Healthchecks/1.0; +https://www.cloudflare.com/; healthcheck-id: 1)',
    'Blackbox Exporter/0.25.0',
    'DatadogSynthetics',
  ])('knows the probe %s', (userAgent) => {
    expect(said('HEAD /', userAgent)).toBe('reachable');
    expect(said('GET /any/path?x', userAgent)).toBe('reachable');
    expect(said('POST /', userAgent)).toBeNull();
  });

  test.each([
    'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)',
    'Twitterbot/1.0',
    'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
    'Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)',
    'TelegramBot (like TwitterBot)',
    'WhatsApp/2.23.20.0',
    'LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)',
    'Mastodon/4.3.0 (http.rb/5.2.0; +https://example.social/) Bot',
  ])('knows the link preview %s', (userAgent) => {
    expect(said('GET /', userAgent)).toBe('unavailable');
    expect(said('POST /', userAgent)).toBeNull();
  });

  test.each([
    CHROME,
    'curl/8.5.0',
    'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    'Mastodon/4.3.0 (http.rb/5.2.0; +https://example.social/)',
  ])('does not take %s for one', (userAgent) => {
    expect(said('GET /', userAgent)).toBeNull();
  });

  test('answers /robots.txt with nothing that could be false, and /favicon.ico with nothing, whoever asks', () => {
    expect(said('GET /robots.txt', CHROME)).toBe('unavailable');
    expect(said('GET /favicon.ico', CHROME)).toBe('text');
    expect(said('GET /robots.txt', 'UptimeRobot')).toBe('unavailable');
    expect(said('POST /favicon.ico', CHROME)).toBeNull();
  });

  test('is switched off for all agents or for one, and on again for one', () => {
    expect(said('GET /', 'UptimeRobot', false)).toBeNull();
    expect(said('GET /', 'UptimeRobot', true, false)).toBeNull();
    expect(said('GET /', 'UptimeRobot', false, true)).toBe('reachable');
  });

  test('counts where the config says nothing', () => {
    expect(ConfigFile.properties.ignore.properties.defaults).toMatchObject({ default: true });
  });
});
