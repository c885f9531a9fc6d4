import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { type ServerResponse, createServer } from 'node:http';
import { isAlive } from '../../support/marked-processes.ts';

/**
 * An agent with faults, by the words in TROUBLE; without them it is as plain as an agent can be. It shares no code with the
 * kit, so that what the daemon promises does not hang on an agent being well brought up.
 *
 *     dies      ends at once, with 3
 *     unwell    its health check never passes
 *     warms-up  listens at once; its health check passes a second later
 *     deaf      ignores SIGTERM
 *     forks     has two children, one of which leaves the process group
 *     tells     writes all that it knows to stdout and stderr
 *
 * Once there is a file MEND, the first two are over. In the file BIRTHS it writes down who it is, and which of those who wrote
 * before still live.
 */
const faults = new Set(process.env['TROUBLE']?.split(' '));
const { MEND, BIRTHS, PORT, HOST } = process.env;
const has = (fault: string): boolean => faults.has(fault);
const mended = (): boolean => MEND !== undefined && existsSync(MEND);

if (BIRTHS !== undefined) {
  const before = existsSync(BIRTHS) ? readFileSync(BIRTHS, 'utf8').split('\n').filter(Boolean) : [];
  const beside = before.map((line): number => JSON.parse(line).pid).filter(isAlive);
  appendFileSync(BIRTHS, `${JSON.stringify({ pid: process.pid, beside })}\n`);
}
if (has('tells')) {
  console.log(`my token is ${process.env['REVEILLE_TOKEN'] ?? ''}`);
  console.error(`and once more: ${process.env['REVEILLE_TOKEN'] ?? ''}`);
  // The log cuts a line after 8192 bytes, which is within the token.
  console.log(`${'x'.repeat(8192 - 20)}${process.env['REVEILLE_TOKEN'] ?? ''}`);
}
if (has('dies') && !mended()) {
  console.error('I will not live');
  process.exit(3);
}
if (has('deaf')) process.on('SIGTERM', () => undefined);
const children = has('forks') ? [false, true].map((detached) => spawn('sleep', ['600'], { detached }).pid) : [];

const startedAt = performance.now();
let well = true;
const isWell = (): boolean => well && (!has('unwell') || mended()) && (!has('warms-up') || performance.now() - startedAt > 1000);

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://agent');
  request.resume().on('end', () => answer(url, response));
});

function answer(url: URL, response: ServerResponse): void {
  const reply = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  switch (url.pathname) {
    case '/api/health':
      return reply(isWell() ? 200 : 500, { well: isWell() });
    case '/hold':
      return void setTimeout(() => reply(200, { pid: process.pid }), Number(url.searchParams.get('ms')));
    case '/unwell':
      well = false;
      return reply(200, { well });
    case '/well':
      well = true;
      return reply(200, { well });
    case '/environment':
      return reply(200, process.env);
    case '/crash':
      return process.exit(9);
    default:
      return reply(200, { pid: process.pid, well: isWell(), children });
  }
}

server.listen(Number(PORT), HOST);
