import { createRequire } from 'node:module';
import type { Config } from '../contract/config.ts';
import type { Address } from '../ports/engine.ts';
import { urlHost } from './addresses.ts';
import { formatDuration } from '../contract/units.ts';
import type { Millis } from '../std/time.ts';

/** What whoever starts the daemon reads first. On stderr: stdout is the log, a JSON object a line. */
export function greet(config: Config, publicPort: Address, adminPort: Address, tokenSource: string): void {
  const names = Object.values(config.agents).flatMap(({ hostname, hostnames }) => [hostname, ...hostnames]);
  const urls = names.filter((name) => !name.startsWith('*')).map((name) => `http://${name}:${publicPort.port}/`);
  const shown = urls.slice(0, 5);
  const lines = [
    '',
    `  Reveille ${version()} is up, engine ${config.engine}.`,
    '',
    ...shown.map((url, index) => `  ${index === 0 ? 'try   ' : '      '} ${url}`),
    ...(urls.length > shown.length ? [`         and ${urls.length - shown.length} more: reveille agents`] : []),
    `  admin  http://${urlHost(adminPort)}/ (an API, wants the token)`,
    `  token  ${tokenSource}`,
    '',
  ];
  process.stderr.write(`${lines.join('\n')}\n`);
}

/** Says what the end waits for, since a terminal that shows nothing after Ctrl-C looks as if it hung. */
export function takeLeave(openRequests: number, drainTimeout: Millis): void {
  if (openRequests === 0) return;
  const open = openRequests === 1 ? '1 open request' : `${openRequests} open requests`;
  process.stderr.write(
    `\n  Ending: ${open} may take up to ${formatDuration(drainTimeout)}. The same signal after 5s cuts them.\n`,
  );
}

/** From package.json, which lies two levels above, from src/system/ and from dist/system/ alike. */
export function version(): string {
  return (createRequire(import.meta.url)('../../package.json') as { version: string }).version;
}
