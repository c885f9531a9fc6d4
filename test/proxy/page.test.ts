import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { AGENT_STATES } from '../../src/contract/events.ts';
import { AGENT_PROBLEMS, type AgentProblemCode } from '../../src/contract/problems.ts';
import type { Outlook } from '../../src/core/outlook.ts';
import type { Brand } from '../../src/proxy/page/brand.ts';
import { contrastOf, visibleOn } from '../../src/proxy/page/colour.ts';
import { sceneOf } from '../../src/proxy/page/scene.ts';
import { GROUND } from '../../src/proxy/page/style.ts';
import { waitingPage } from '../../src/proxy/page/waiting-page.ts';
import { prng } from '../../src/std/prng.ts';
import { millisOf } from '../../src/std/time.ts';

const BRAND: Brand = { title: 'Kai', logo: null, accent: '#3a6ea5' };

const outlook = (view: Partial<Outlook> = {}): Outlook => ({
  ...{ state: 'starting', isComing: true, reason: null, elapsed: millisOf(1000), typical: millisOf(4000) },
  ...{ startsIn: null, retryAfterSeconds: 3 },
  ...view,
});

const page = (view: Partial<Outlook> = {}, brand: Partial<Brand> = {}) =>
  waitingPage({ ...BRAND, ...brand }, outlook(view), 'id-1');

function header(answer: { readonly headers: readonly string[] }, name: string): string | undefined {
  const at = answer.headers.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === name.toLowerCase());
  return at === -1 ? undefined : answer.headers[at + 1];
}

const sha256 = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const inside = (body: string, tag: string): string[] =>
  [...body.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, 'g'))].map(([, text]) => text ?? '');

describe('the waiting page', () => {
  it('is a 503 that says when to come back, and that nobody may keep or index', () => {
    const answer = page({ retryAfterSeconds: 7 });
    expect(answer.status).toBe(503);
    expect(header(answer, 'Retry-After')).toBe('7');
    expect(header(answer, 'Cache-Control')).toBe('no-store');
    expect(header(answer, 'Vary')).toBe('Accept, Sec-Fetch-Mode, Sec-Fetch-Dest');
    expect(header(answer, 'X-Robots-Tag')).toBe('noindex');
    expect(header(answer, 'X-Content-Type-Options')).toBe('nosniff');
    expect(header(answer, 'Referrer-Policy')).toBe('no-referrer');
    expect(answer.body).toContain('<meta name="robots" content="noindex">');
    expect(header(answer, 'Content-Length')).toBe(String(Buffer.byteLength(answer.body)));
  });

  it('allows itself its own styles and script by their hashes, and nothing else', () => {
    const answer = page();
    const styles = inside(answer.body, 'style').map(sha256);
    const scripts = inside(answer.body, 'script').map(sha256);
    expect([styles.length, scripts.length]).toEqual([2, 1]);
    expect(header(answer, 'Content-Security-Policy')).toBe(
      `default-src 'none'; style-src ${styles.join(' ')}; script-src ${scripts.join(' ')}; connect-src 'self'; ` +
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    );
    // Attributes would need 'unsafe-inline'.
    expect(answer.body).not.toMatch(/ style=| on[a-z]+=/);
  });

  it('is one document of less than 12 KB that loads nothing', () => {
    const { body } = page();
    expect(Buffer.byteLength(body)).toBeLessThan(12 * 1024);
    expect(body).not.toMatch(/https?:|src="(?!data:)|href="(?!data:)|@import|url\(/);
  });

  it('escapes whatever the config puts into it, wherever that goes', () => {
    const nasty = `</title></script><script>alert(1)</script>"'&<img src=x onerror=alert(1)>`;
    for (const state of AGENT_STATES) {
      const { body } = page({ state, isComing: false, elapsed: state === 'starting' ? millisOf(0) : null }, { title: nasty });
      expect(body).not.toContain('<script>alert');
      expect(body).not.toContain('<img src=x');
      expect(body.match(/<script>/g)).toHaveLength(1);
      expect(/<main[^>]* data-title="([^"]*)"/.exec(body)?.[1]).toMatch(/^[^<>]*onerror[^<>]*$/);
    }
    const { body } = page({}, { logo: 'data:image/png;base64,AA"onload="alert(1)' });
    expect(body).not.toContain('"onload="');
  });

  it('asks again without a script, never more often than every two seconds', () => {
    const refresh = (view: Partial<Outlook>) =>
      /<noscript><meta http-equiv="refresh" content="(\d+)">/.exec(page(view).body)?.[1];
    expect(refresh({ retryAfterSeconds: 3 })).toBe('3');
    expect(refresh({ retryAfterSeconds: 1 })).toBe('2');
    expect(refresh({ retryAfterSeconds: 1, elapsed: millisOf(30_000) })).toBe('5');
    expect(refresh({ state: 'degraded', isComing: false, reason: 'exited', elapsed: null, retryAfterSeconds: 300 })).toBe('300');
  });

  it('shows a bar where it knows how long a start takes, and says how far it is', () => {
    const measured = page().body;
    expect(measured).toContain('data-bar="measured"');
    expect(measured).toContain('aria-valuenow="23"');
    expect(measured).toContain('About 3 seconds left.');
    expect(measured).toContain('A start usually takes about 4 seconds.');
    expect(measured).toContain('--from:0.225;--knee:0.9;--left:3.00s');
    const unknown = page({ typical: null }).body;
    expect(unknown).toContain('data-bar="unknown"');
    expect(unknown).not.toContain('aria-valuenow=');
    // Never full: only the agent can say that it is there.
    expect(page({ elapsed: millisOf(60_000) }).body).toContain('aria-valuenow="90"');
  });

  it('leaves a logo out that is not there, and shows a mark instead', () => {
    expect(page().body).toContain('<div class="mark">');
    expect(page({}, { logo: 'data:image/png;base64,AAAA' }).body).toContain('<img src="data:image/png;base64,AAAA" alt="">');
  });

  it('makes any accent visible on the bar, by day and by night', () => {
    const { below } = prng(20261121);
    const some = Array.from({ length: 500 }, () => `#${below(0x1000000).toString(16).padStart(6, '0')}`);
    for (const accent of ['#fff', '#000', '#ff0', '#808080', ...some]) {
      for (const { track } of Object.values(GROUND)) {
        expect(contrastOf(track, visibleOn(track, accent, 3)), `${accent} on ${track}`).toBeGreaterThanOrEqual(3);
      }
    }
    expect(visibleOn('#ffffff', '#00a', 3)).toBe('#0000aa');
    expect(contrastOf('#000', '#fff')).toBeCloseTo(21);
  });
});

describe('what the waiting page says', () => {
  const scene = (view: Partial<Outlook>) => sceneOf(outlook(view));

  it.each<[string, Partial<Outlook>, string, string]>([
    ['a start', {}, 'coming', 'Starting'],
    ['a start that takes longer than nine of ten', { elapsed: millisOf(8000) }, 'coming', 'Taking longer than usual'],
    ['a first start that takes long', { typical: null, elapsed: millisOf(21_000) }, 'coming', 'Taking a while'],
    [
      'a place that is waited for',
      { state: 'sleeping', reason: 'capacity', elapsed: null },
      'coming',
      'Waiting for a free place',
    ],
    ['a cooldown', { state: 'sleeping', elapsed: null, startsIn: millisOf(900) }, 'coming', 'Waking up'],
    ['an end before a start', { state: 'stopping', elapsed: null }, 'coming', 'Waking up'],
    ['a restart', { state: 'draining', elapsed: null, reason: 'health-failed' }, 'coming', 'Restarting'],
    ['a failed start', { state: 'sleeping', isComing: false, reason: 'exited', elapsed: null }, 'halted', 'Did not start'],
    ['no place', { state: 'sleeping', isComing: false, reason: 'capacity', elapsed: null }, 'halted', 'No free place'],
    ['an override', { state: 'sleeping', isComing: false, reason: 'kept-asleep', elapsed: null }, 'halted', 'Kept asleep'],
    ['an operator', { state: 'draining', isComing: false, elapsed: null }, 'halted', 'Going to sleep'],
    ['no engine', { state: 'sleeping', isComing: false, reason: 'engine-unavailable', elapsed: null }, 'halted', 'Out of reach'],
    ['nobody', { state: 'sleeping', isComing: false, elapsed: null }, 'idle', 'Asleep'],
    ['an end of waiting', { state: 'ready', elapsed: null }, 'open', 'Ready'],
  ])('%s has words of its own', (_, view, kind, heading) => {
    expect(scene(view)).toMatchObject({ kind, heading });
    expect(scene(view).text).toMatch(/\.$/);
  });

  it('names every problem of an agent without the words of its config', () => {
    for (const reason of Object.keys(AGENT_PROBLEMS) as AgentProblemCode[]) {
      const { text, againSeconds } = scene({ state: 'degraded', isComing: false, reason, elapsed: null, retryAfterSeconds: 9 });
      expect(text).not.toMatch(/health\.|_|config/);
      expect(againSeconds).toBe(9);
    }
  });

  it('counts down to the start that is remembered, and to the next question where none is', () => {
    const failed: Partial<Outlook> = { state: 'sleeping', reason: 'exited', elapsed: null, retryAfterSeconds: 12 };
    expect(scene({ ...failed, isComing: true, startsIn: millisOf(4_200) }).againSeconds).toBe(5);
    expect(scene({ ...failed, isComing: false }).againSeconds).toBe(12);
    expect(scene({}).againSeconds).toBeNull();
  });
});
