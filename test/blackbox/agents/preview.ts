import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

/**
 * An agent that shows something on a second port of its own, over HTTP and WebSocket, and registers whatever it is asked to:
 * `/register?hostname=...&target=...&ttl=...` hands the daemon's answer back. Without `target` it is the second port.
 */
const { PORT, HOST, REVEILLE_URL, REVEILLE_TOKEN, REVEILLE_TASK_ID } = process.env;

const second = createServer((_request, response) => response.end(`preview of ${process.pid}`));
new WebSocketServer({ server: second }).on('connection', (socket) => {
  socket.on('message', (message: Buffer) => socket.send(`preview: ${message.toString()}`));
});
second.listen(0, HOST);

async function register(url: URL): Promise<{ readonly status: number; readonly text: string }> {
  const { hostname, target = `:${(second.address() as AddressInfo).port}`, ttl } = Object.fromEntries(url.searchParams);
  const answer = await fetch(`${REVEILLE_URL ?? ''}/api/services`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${REVEILLE_TOKEN ?? ''}`,
      'x-reveille-task': REVEILLE_TASK_ID ?? '',
      'content-type': 'application/json',
    },
    body: JSON.stringify({ hostname, target, ttl }),
  });
  return { status: answer.status, text: await answer.text() };
}

createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://agent');
  if (url.pathname !== '/register') return void response.end(`agent ${process.pid}`);
  void register(url).then(({ status, text }) => response.writeHead(status).end(text));
}).listen(Number(PORT), HOST);
