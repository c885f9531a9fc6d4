import { describe, expect, it } from 'vitest';
import { ON_SLEEPING } from '../../src/contract/config.ts';
import { type RequestHead, readHead } from '../../src/proxy/head.ts';
import { type Manner, mannerOf, seesPage } from '../../src/proxy/manner.ts';
import type { SleepRules } from '../../src/runtime/traffic.ts';
import { millisOf } from '../../src/std/time.ts';
import { LIMITS } from './support/bench.ts';

/** Who is held, who sees the page and who gets the 503: every mode against every kind of caller. */
type Lines = Readonly<Record<string, string | readonly string[]>>;

function headOf(lines: Lines, method = 'GET'): RequestHead {
  const all: Lines = { Host: 'kai.test', ...lines };
  const rawHeaders = Object.entries(all).flatMap(([name, values]) =>
    (typeof values === 'string' ? [values] : values).flatMap((value) => [name, value]),
  );
  const head = readHead({ method, url: '/', httpVersionMajor: 1, httpVersionMinor: 1, rawHeaders }, LIMITS, false, false);
  if ('fault' in head) throw new Error(`a test's head is in order, not ${head.fault}`);
  return head;
}

const rules = (parts: Partial<SleepRules> = {}): SleepRules => ({
  mode: 'auto',
  frozen: false,
  typicalStart: null,
  preferHoldBelow: millisOf(2000),
  bodyBufferMax: 0,
  ...parts,
});

const CHROME = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8';
const FIREFOX = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const navigation = { Accept: CHROME, 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document', 'Sec-Fetch-Site': 'none' };
const PERSONS: [who: string, lines: Lines][] = [
  ['a navigation', navigation],
  ['a navigation in a frame', { ...navigation, 'Sec-Fetch-Dest': 'iframe' }],
  ['a browser without Fetch Metadata', { Accept: FIREFOX }],
  ['html among equals', { Accept: 'application/json, text/html' }],
  ['html in a second line', { Accept: ['*/*;q=0.1', 'text/html'] }],
  ['html in capitals', { ACCEPT: 'Text/HTML; Q=0.9, */*; Q=0.8' }],
];
const PROGRAMS: [who: string, lines: Lines, method?: string][] = [
  ['curl', { Accept: '*/*' }],
  ['nothing accepted', {}],
  ['a fetch of a page', { ...navigation, 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty' }],
  ['an image', { Accept: 'image/avif,image/webp,*/*;q=0.8', 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'image' }],
  ['a navigation to an object', { ...navigation, 'Sec-Fetch-Dest': 'object' }],
  ['a prefetch', { ...navigation, 'Sec-Purpose': 'prefetch' }],
  ['a prerender', { ...navigation, 'Sec-Purpose': 'prefetch;prerender' }],
  ['an older prefetch', { Accept: CHROME, Purpose: 'Prefetch' }],
  ['an event stream', { Accept: 'text/event-stream' }],
  ['JSON rather than html', { Accept: 'application/json, text/html;q=0.9' }],
  ['XML rather than html', { Accept: 'application/xml, text/html;q=0.5' }],
  ['html refused', { Accept: 'text/html;q=0, */*' }],
  ['a weight that is none', { Accept: 'text/html;q=high' }],
  ['a form', navigation, 'POST'],
  ['a look at the head', navigation, 'HEAD'],
  ['two modes', { ...navigation, 'Sec-Fetch-Mode': ['navigate', 'cors'] }],
];
const preflight = { Accept: '*/*', Origin: 'https://a.test', 'Access-Control-Request-Method': 'POST', 'Sec-Fetch-Mode': 'cors' };

describe('who waits, sees the page, or is told to come back', () => {
  it.each(PERSONS)('shows the page to %s', (_, lines) => {
    const head = headOf(lines);
    const manners = ON_SLEEPING.map((mode) => mannerOf(head, 'request', rules({ mode })));
    expect(Object.fromEntries(ON_SLEEPING.map((mode, index) => [mode, manners[index]]))).toEqual({
      auto: 'page',
      refuse: 'refuse',
      hold: 'hold',
      page: 'page',
    });
    expect(ON_SLEEPING.map((mode) => seesPage(head, rules({ mode })))).toEqual([true, false, false, true]);
  });

  it.each(PROGRAMS)('tells a program when to come back: %s', (_, lines, method = 'GET') => {
    const head = headOf(lines, method);
    const manners = ON_SLEEPING.map((mode) => mannerOf(head, 'request', rules({ mode })));
    expect(Object.fromEntries(ON_SLEEPING.map((mode, index) => [mode, manners[index]]))).toEqual({
      auto: 'refuse',
      refuse: 'refuse',
      hold: 'hold',
      page: 'refuse',
    });
    for (const mode of ON_SLEEPING) expect(seesPage(head, rules({ mode }))).toBe(false);
  });

  it.each<[string, RequestHead, 'request' | 'upgrade']>([
    ['a WebSocket', headOf({ Connection: 'Upgrade', Upgrade: 'websocket' }), 'upgrade'],
    ['a CORS preflight', headOf(preflight, 'OPTIONS'), 'request'],
  ])('holds who would not come back: %s', (_, head, kind) => {
    const manners = ON_SLEEPING.map((mode) => [mode, mannerOf(head, kind, rules({ mode }))]);
    expect(Object.fromEntries(manners)).toEqual({ auto: 'hold', refuse: 'refuse', hold: 'hold', page: 'refuse' });
  });

  it.each([
    ['OPTIONS without an origin', headOf({ 'Access-Control-Request-Method': 'POST' }, 'OPTIONS')],
    ['OPTIONS that asks for no method', headOf({ Origin: 'https://a.test' }, 'OPTIONS')],
    ['a GET that looks like a preflight', headOf(preflight)],
  ])('takes for no preflight: %s', (_, head) => {
    expect(mannerOf(head, 'request', rules())).toBe('refuse');
  });

  it('holds everybody where nine of ten starts are short, and only then', () => {
    const everybody: readonly (readonly [RequestHead, Manner])[] = [
      [headOf(navigation), 'page'],
      [headOf({ Accept: '*/*' }), 'refuse'],
    ];
    for (const [head, otherwise] of everybody) {
      const at = (typicalStart: number | null): Manner =>
        mannerOf(head, 'request', rules({ typicalStart: typicalStart === null ? null : millisOf(typicalStart) }));
      expect([at(1999), at(2000), at(null)]).toEqual(['hold', otherwise, otherwise]);
      // Nothing is shorter than 0: that switches it off.
      const off = rules({ typicalStart: millisOf(0), preferHoldBelow: millisOf(0) });
      expect(mannerOf(head, 'request', off)).toBe(otherwise);
      for (const mode of ['refuse', 'page'] as const)
        expect(mannerOf(head, 'request', rules({ mode, typicalStart: millisOf(1) }))).not.toBe('hold');
    }
  });

  it('holds everybody whose agent is frozen, whatever the mode', () => {
    for (const mode of ON_SLEEPING)
      for (const lines of [navigation, { Accept: '*/*' }])
        expect(mannerOf(headOf(lines), 'request', rules({ mode, frozen: true }))).toBe('hold');
  });
});
