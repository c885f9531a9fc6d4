import type { SleepRules } from '../runtime/traffic.ts';
import type { RequestHead } from './head.ts';
import { listOf } from './headers.ts';

/** How somebody is met whose agent is not awake: the request waits, a person sees the waiting page, a program gets the 503. */
export type Manner = 'hold' | 'page' | 'refuse';

/**
 * Decided by what kind of caller it is (docs/sleeping.md). `auto` holds those who cannot come back (an upgrade or a CORS
 * preflight is not tried again) and everybody where the start is short; people get the page, and programs the 503 they can
 * read.
 */
export function mannerOf(head: RequestHead, kind: 'request' | 'upgrade', rules: SleepRules): Manner {
  if (rules.frozen) return 'hold';
  switch (rules.mode) {
    case 'hold':
    case 'refuse':
      return rules.mode;
    case 'page':
      return kind === 'request' && isNavigation(head) ? 'page' : 'refuse';
    case 'auto':
      if (kind === 'upgrade' || isPreflight(head)) return 'hold';
      if (rules.typicalStart !== null && rules.typicalStart < rules.preferHoldBelow) return 'hold';
      return isNavigation(head) ? 'page' : 'refuse';
  }
}

/** Whether a person would see the answer in the window of a browser: the page is for them, whatever the reason. */
export function seesPage(head: RequestHead, { mode }: SleepRules): boolean {
  return (mode === 'page' || mode === 'auto') && isNavigation(head);
}

/** Fetch standard, section 3.3: a browser asks before it sends, and takes an error for a no. */
function isPreflight(head: RequestHead): boolean {
  return head.method === 'OPTIONS' && valueOf(head, 'origin') !== null && valueOf(head, 'access-control-request-method') !== null;
}

/**
 * A browser that goes to a page. Where it says so (Fetch Metadata), its word counts: a fetch, an asset, a prefetch and a
 * worker are none. Older ones are told by what they prefer to be given.
 */
function isNavigation(head: RequestHead): boolean {
  if (head.method !== 'GET' || !prefersHtml(valueOf(head, 'accept'))) return false;
  const mode = valueOf(head, 'sec-fetch-mode');
  if (mode !== null && mode !== 'navigate') return false;
  const destination = valueOf(head, 'sec-fetch-dest');
  if (destination !== null && !['document', 'iframe', 'frame'].includes(destination)) return false;
  const purpose = `${valueOf(head, 'sec-purpose') ?? ''} ${valueOf(head, 'purpose') ?? ''}`.toLowerCase();
  return !purpose.includes('prefetch') && !purpose.includes('prerender');
}

/** RFC 9110 section 12.5.1: HTML is named, and nothing else that is named is wanted more. */
function prefersHtml(accept: string | null): boolean {
  if (accept === null) return false;
  let html = 0;
  let other = 0;
  for (const range of listOf(accept)) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const written = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    const quality = written === undefined ? 1 : Number(written);
    if (Number.isNaN(quality)) continue;
    if (type === 'text/html' || type === 'application/xhtml+xml') html = Math.max(html, quality);
    else if (!type.endsWith('/*')) other = Math.max(other, quality);
  }
  return html > 0 && html >= other;
}

/** All lines of this name, which is written in lower case, as one (RFC 9110 section 5.3). */
function valueOf({ lines: { kept } }: RequestHead, name: string): string | null {
  let value: string | null = null;
  for (let at = 0; at + 1 < kept.length; at += 2) {
    if (kept[at]?.toLowerCase() === name) value = value === null ? (kept[at + 1] ?? '') : `${value}, ${kept[at + 1] ?? ''}`;
  }
  return value;
}
