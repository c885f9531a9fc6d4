import { createHash } from 'node:crypto';
import type { BoardRow, Scoreboard } from './board.ts';

/** The board for people: one document without a script, in which every text that came from the bus is escaped. */
const STYLE = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; padding: 0 1rem; max-width: 60rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; padding-bottom: .75rem; }
th, td { text-align: left; padding: .4rem .75rem; border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); }
.number { text-align: right; font-variant-numeric: tabular-nums; }
`;

/** For the header of that name: nothing but this style. */
export const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

export function pageOf(board: Scoreboard): string {
  const rows = board.scoreboard.map(rowOf).join('\n');
  const table = `<div class="wide" tabindex="0" role="region" aria-label="Scoreboard"><table>
<caption>${escaped(board.scoring)}. Made of the newest ${board.events} events.</caption>
<thead><tr><th scope="col">Trooper</th><th scope="col">State</th><th scope="col" class="number">Score</th><th scope="col" class="number">On</th><th scope="col" class="number">Off</th><th scope="col">Last event</th></tr></thead>
<tbody>
${rows}
</tbody></table></div>`;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Scoreboard of Bob's World</title><style>${STYLE}</style></head>
<body>
<main>
<h1>Scoreboard</h1>
${board.scoreboard.length === 0 ? '<p>Nobody has been armed yet. Arm a trooper, then reload.</p>' : table}
<p>Scripts read it at <a href="/api/scoreboard">/api/scoreboard</a>.</p>
</main>
</body>
</html>
`;
}

function rowOf({ bot, task_id, current_on_state, score, on, off, last_event_at }: BoardRow): string {
  const numbers = [score, on, off].map((number) => `<td class="number">${number}</td>`).join('');
  const state = current_on_state ? 'ON' : 'OFF';
  return `<tr><th scope="row" title="${escaped(task_id)}">${escaped(bot)}</th><td>${state}</td>${numbers}<td>${escaped(last_event_at)}</td></tr>`;
}

const MARKUP: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => MARKUP[character] ?? '');
