import { once } from 'node:events';
import { type RequestListener, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { peerAt } from '../../../agents/trooper/revolt/peer.ts';

const SECRET = 'a secret between racks';

async function answeredBy(listener: RequestListener | null) {
  const server = createServer(listener ?? (() => undefined)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  if (listener === null) {
    close();
    await once(server, 'close');
  } else onTestFinished(close);
  return peerAt(`http://127.0.0.1:${port}`, SECRET).call('POST', '/api/revolt/offer', '{}', 20_000);
}

it('a refused connection, a redirect, an answer without end and a broken one tell nothing of what the peer has done', async () => {
  expect(await answeredBy(null)).toMatchObject({ kind: 'silent', late: false, reason: 'ECONNREFUSED' });
  const redirected: string[] = [];
  const redirect = await answeredBy((request, reply) => {
    redirected.push(request.url ?? '');
    reply.writeHead(307, { location: '/elsewhere' }).end();
  });
  expect([redirect.kind, redirected]).toEqual(['silent', ['/api/revolt/offer']]);
  const endless = await answeredBy((_request, reply) => {
    const more = (): void => {
      if (reply.destroyed) return;
      reply.write('x'.repeat(16_384));
      setImmediate(more);
    };
    more();
  });
  expect(endless).toEqual({ kind: 'silent', late: false, reason: 'the answer is too long' });
  expect((await answeredBy((request) => request.socket.destroy())).kind).toBe('silent');
});
