import { readFileSync } from 'node:fs';
import { type Case, STATE_KEYS, type StateKey } from '../../test/core/lifecycle-rows.ts';
import { TABLE } from '../../test/core/lifecycle-table.ts';
import { type Page, code, table } from './page.ts';

/** docs/lifecycle.md: written by hand, but for the table, which is the one that the tests hold against the code. */
export const lifecyclePage: Page = {
  file: 'lifecycle.md',
  render: () => {
    const [before = '', rest = ''] = readFileSync('docs/lifecycle.md', 'utf8').split(OPEN);
    const [, after = ''] = rest.split(CLOSE);
    return `${before}${OPEN}\n${STATE_KEYS.map(section).join('\n')}\n${CLOSE}${after}`;
  },
};

const OPEN = '<!-- made by tools/docs/lifecycle.ts -->';
const CLOSE = '<!-- end -->';

const TITLES: Readonly<Record<StateKey, string>> = {
  sleeping: 'sleeping',
  degraded: 'degraded (on-demand)',
  starting: 'starting',
  ready: 'ready',
  frozen: 'frozen',
  draining: 'draining',
  stopping: 'stopping',
  running: 'running (always-on, unmanaged)',
  'running-degraded': 'degraded (always-on)',
};

function section(key: StateKey): string {
  const rows = Object.entries(TABLE[key]).flatMap(([event, cases]) => cases.map((entry) => row(event, entry)));
  return `\n### ${TITLES[key]}\n\n${table(['event', 'when', 'to', 'ordered'], rows)}\n`;
}

function row(event: string, { when, state, to, orders }: Case): readonly string[] {
  return [code(event), when, to === state.name ? 'the same' : `**${to}**`, orders.map(code).join(', ')];
}
