import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cliPage } from './docs/cli.ts';
import { configPage } from './docs/config.ts';
import { dockerSocketPage } from './docs/docker-socket.ts';
import { eventsPage } from './docs/events.ts';
import { lifecyclePage } from './docs/lifecycle.ts';
import { metricsPage } from './docs/metrics.ts';
import type { Page } from './docs/page.ts';
import { problemsPage } from './docs/problems.ts';

/**
 * `npm run docs` writes the pages of docs/ that are made from code. With `--check` it writes nothing and fails when one of
 * them is not what the code would make now, so that the reference cannot fall behind.
 */
const PAGES: readonly Page[] = [configPage, problemsPage, metricsPage, eventsPage, lifecyclePage, cliPage, dockerSocketPage];

const checkOnly = process.argv.includes('--check');
mkdirSync('docs', { recursive: true });
let stale = 0;
for (const page of PAGES) {
  const path = `docs/${page.file}`;
  const text = page.render();
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  stale += 1;
  if (checkOnly) console.error(`${path} is not what the code says now: npm run docs`);
  else writeFileSync(path, text);
}
console.log(`${PAGES.length} pages, ${stale} ${checkOnly ? 'stale' : 'written'}`);
process.exitCode = checkOnly && stale > 0 ? 1 : 0;
