import { runAgent } from '../../agents/kit/agent.ts';
import { millisOf } from '../../src/std/time.ts';

/**
 * As little as an agent can be and still use what the kit has: a page, an echo, a route of its own. Run as a process by the
 * tests of the kit.
 */
await runAgent(
  async (agent) => {
    agent.http.get('/', () => ({ hello: agent.environment.agent }));
    agent.http.get('/endless', (_request, reply) => {
      reply.hijack();
      reply.raw.writeHead(200).flushHeaders();
    });
    agent.http.get('/tired', () => {
      agent.setReady(false);
      return 'not ready from now on';
    });
    agent.webSocket('/echo', (socket) => socket.on('message', (message) => socket.send(message)));
    await agent.daemon?.keepRoute({ hostname: 'small.localhost', target: `:${agent.environment.port}` });
  },
  { healthPath: '/healthz', stopTimeoutMs: millisOf(500) },
);
