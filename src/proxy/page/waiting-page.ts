import { createHash } from 'node:crypto';
import type { Outlook } from '../../core/outlook.ts';
import { millisOf } from '../../std/time.ts';
import { type OwnAnswer, VARY } from '../refusal.ts';
import type { Brand } from './brand.ts';
import { visibleOn } from './colour.ts';
import { about, type Scene, sceneOf, slowIn } from './scene.ts';
import { OPENS, SCRIPT } from './script.ts';
import { GROUND, STYLE } from './style.ts';

/**
 * What a person sees whose agent is not there yet: one document that needs nothing else, moves without a script and asks
 * again without one. It is made of the config and of the agent's state alone; nothing of the request is in it but its id,
 * as a header line, so there is nothing to reflect and nowhere to be sent to.
 */
const SCRIPT_HASH = hashOf(SCRIPT);
const STYLE_HASH = hashOf(STYLE);

/** Contrast of the bar and its track (WCAG 2.2, 1.4.11). */
const BAR_CONTRAST = 3;
/** Where the bar stands when the usual time is over. */
const KNEE = 0.9;
/** Without a script the page reloads as a whole, which is no sight for every second. */
const REFRESH_MIN_SECONDS = 2;
const REFRESH_SLOW_SECONDS = 5;

/** 503, since the agent did not answer. For HEAD the same; the body is left out where it is sent. */
export function waitingPage(brand: Brand, outlook: Outlook, requestId: string): OwnAnswer {
  const own = ownStyle(brand, outlook);
  const body = documentOf(brand, outlook, own);
  return {
    status: 503,
    headers: [
      ...['Content-Type', 'text/html; charset=utf-8'],
      ...['Content-Length', String(Buffer.byteLength(body))],
      ...['Cache-Control', 'no-store'],
      ...['Vary', VARY],
      ...['X-Request-Id', requestId],
      ...['Retry-After', String(outlook.retryAfterSeconds)],
      ...['Content-Security-Policy', policy(hashOf(own))],
      ...['X-Content-Type-Options', 'nosniff'],
      ...['Referrer-Policy', 'no-referrer'],
      ...['X-Robots-Tag', 'noindex'],
    ],
    body,
  };
}

const policy = (ownHash: string): string =>
  [
    "default-src 'none'",
    `style-src '${STYLE_HASH}' '${ownHash}'`,
    `script-src '${SCRIPT_HASH}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'self'",
  ].join('; ');

function documentOf(brand: Brand, outlook: Outlook, own: string): string {
  const { logo } = brand;
  const title = escaped(brand.title);
  const scene = sceneOf(outlook);
  const facts = Object.entries({
    kind: scene.kind,
    bar: scene.bar,
    state: outlook.state,
    title: brand.title,
    again: scene.againSeconds,
    elapsed: outlook.elapsed,
    typical: outlook.typical,
    retry: outlook.retryAfterSeconds,
  }).map(([name, value]) => (value === null ? '' : ` data-${name}="${escaped(String(value))}"`));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escaped(scene.heading)} · ${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<noscript><meta http-equiv="refresh" content="${refreshSeconds(scene, outlook)}"></noscript>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
<style>${own}</style>
</head>
<body>
<main${facts.join('')}>
${logo === null ? '<div class="mark"></div>' : `<img src="${escaped(logo)}" alt="">`}
<p class="name">${title}</p>
<div role="status">
<h1 id="heading">${escaped(scene.heading)}</h1>
<p id="text">${escaped(scene.text)}</p>
</div>
${barOf(scene, outlook)}
<p id="left" class="small">${escaped(leftWords(scene, outlook))}</p>
<p id="again" class="small">${escaped(againWords(scene))}</p>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function barOf(scene: Scene, outlook: Outlook): string {
  const now = scene.bar === 'measured' ? ` aria-valuenow="${Math.round(progress(outlook) * 100)}"` : '';
  return `<div class="bar" role="progressbar" aria-label="Progress of the start" aria-valuemin="0" aria-valuemax="100"${now}><i></i></div>`;
}

function ownStyle(brand: Brand, outlook: Outlook): string {
  const accent = visibleOn(GROUND.light.track, brand.accent, BAR_CONTRAST);
  const accentDark = visibleOn(GROUND.dark.track, brand.accent, BAR_CONTRAST);
  const left = Math.max(0, (outlook.typical ?? 0) - (outlook.elapsed ?? 0)) / 1000;
  return `:root{--accent:${accent};--accent-dark:${accentDark};--from:${progress(outlook).toFixed(3)};--knee:${KNEE};--left:${left.toFixed(2)}s}`;
}

function progress({ elapsed, typical }: Outlook): number {
  return elapsed === null || typical === null ? 0 : Math.min(1, elapsed / Math.max(1, typical)) * KNEE;
}

function leftWords(scene: Scene, { elapsed, typical }: Outlook): string {
  if (scene.bar !== 'measured' || elapsed === null || typical === null || elapsed >= typical) return '';
  const left = about(millisOf(typical - elapsed));
  return `${left.replace(/^a/, 'A')} left.`;
}

function againWords({ kind, againSeconds }: Scene): string {
  if (againSeconds === null) return kind === 'coming' ? OPENS : '';
  return `Trying again in ${about(millisOf(againSeconds * 1000))}.`;
}

function refreshSeconds(scene: Scene, outlook: Outlook): number {
  const least = outlook.elapsed !== null && slowIn(outlook) === null ? REFRESH_SLOW_SECONDS : REFRESH_MIN_SECONDS;
  return Math.max(least, scene.againSeconds ?? outlook.retryAfterSeconds);
}

/** Good for text and for values of attributes in double quotes. */
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
