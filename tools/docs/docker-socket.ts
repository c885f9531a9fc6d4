import { readFileSync } from 'node:fs';
import { type ApiCall, CALLS } from '../../src/swarm/calls.ts';
import { type Page, code, table } from './page.ts';

/** docs/docker-socket.md: written by hand, but for the table of what the daemon asks of Docker. */
export const dockerSocketPage: Page = {
  file: 'docker-socket.md',
  render: () => {
    const [before = '', rest = ''] = readFileSync('docs/docker-socket.md', 'utf8').split(OPEN);
    const [, after = ''] = rest.split(CLOSE);
    return `${before}${OPEN}\n\n${table(['call', 'what for'], Object.values(CALLS).map(row))}\n\n${CLOSE}${after}`;
  },
};

const OPEN = '<!-- made by tools/docs/docker-socket.ts -->';
const CLOSE = '<!-- end -->';

const row = ({ method, path, why }: ApiCall): readonly string[] => [code(`${method} ${path}`), why];
