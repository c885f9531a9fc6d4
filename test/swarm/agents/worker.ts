import { existsSync, readFileSync } from 'node:fs';
import { type ServerResponse, createServer } from 'node:http';
import { WebSocketServer } from 'ws';

/**
 * An agent for tests on a Swarm, which counts everything that reaches it: what it says about itself at `/` is how a test knows
 * that nothing was cut and nothing came too early. It shares no code with the kit.
 *
 *     WARMUP_MS  its health check answers 503 for so long
 *     UNWELL     its health check never passes
 *     DIES       ends at once, with 3
 */
const { PORT = '8080', HOST = '0.0.0.0', WARMUP_MS = '0', UNWELL, DIES } = process.env;
const { REVEILLE_URL = '', REVEILLE_TASK_ID = '', REVEILLE_TOKEN } = process.env;
const SECRET = '/run/secrets/reveille_token';
const PREVIEW_PORT = 3000;

if (DIES !== undefined) {
  console.error('I will not live');
  process.exit(3);
}
const startedAt = performance.now();
const isWell = (): boolean => UNWELL === undefined && performance.now() - startedAt >= Number(WARMUP_MS);

let checks = 0;
let requests = 0;
/** Requests that came before its health check had passed once. */
let early = 0;
let hasPassed = false;
let sockets = 0;
let socketsOpen = 0;

const facts = () => ({ task: REVEILLE_TASK_ID, pid: process.pid, checks, requests, early, sockets, socketsOpen });

const token = (): string => REVEILLE_TOKEN ?? (existsSync(SECRET) ? readFileSync(SECRET, 'utf8').trim() : '');

/** The daemon's internal port, as this task or, when told so, as another or none; hands back what the daemon says. */
async function ask(url: URL, response: ServerResponse): Promise<void> {
  const { path = '/api/self', method = 'GET', task = REVEILLE_TASK_ID, body } = Object.fromEntries(url.searchParams);
  const answer = await fetch(REVEILLE_URL + path, {
    method,
    headers: {
      authorization: `Bearer ${token()}`,
      'content-type': 'application/json',
      ...(task === '' ? {} : { 'x-reveille-task': task }),
    },
    body: body ?? null,
  });
  response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
}

/** A line every tenth of a second; its length is said beforehand, so that a download that was cut is known for what it is. */
function download(seconds: number, response: ServerResponse): void {
  const lines = seconds * 10;
  response.writeHead(200, { 'content-length': lines * 64 });
  let line = 0;
  const timer = setInterval(() => {
    line += 1;
    response.write(`line ${line} of ${lines}`.padEnd(63) + '\n');
    if (line === lines) response.end();
  }, 100);
  response.once('close', () => clearInterval(timer));
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://agent');
  if (url.pathname === '/api/health') {
    checks += 1;
    hasPassed ||= isWell();
    response.writeHead(isWell() ? 200 : 503).end();
    return;
  }
  requests += 1;
  if (!hasPassed) early += 1;
  switch (url.pathname) {
    case '/hold':
      return void setTimeout(() => response.end(JSON.stringify(facts())), Number(url.searchParams.get('ms')));
    case '/download':
      return download(Number(url.searchParams.get('seconds')), response);
    case '/ask':
      return void ask(url, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
    case '/crash':
      return process.exit(9);
    default:
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ ...facts(), environment: process.env }));
  }
});
new WebSocketServer({ server }).on('connection', (socket) => {
  sockets += 1;
  socketsOpen += 1;
  socket.on('close', () => (socketsOpen -= 1));
  socket.on('message', (message: Buffer) => socket.send(message.toString()));
});
process.once('SIGTERM', () => process.exit(0));
server.listen(Number(PORT), HOST);
createServer((_request, response) => response.end(`preview of ${REVEILLE_TASK_ID}`)).listen(PREVIEW_PORT, HOST);
