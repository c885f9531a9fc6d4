import Fastify, { type FastifyInstance } from 'fastify';
import type { SelfView } from '../../src/contract/api.ts';
import type { Agent } from '../kit/agent.ts';
import type { Renewal } from '../kit/renewal.ts';
import { hashOf } from './content-hash.ts';

/**
 * A second port of the same process, reachable under a hostname that the agent registers itself: what a coding agent does
 * to show the site it has just built. The route goes when it is taken back, or when the agent sleeps.
 */
export class Preview {
  private readonly agent: Agent;
  private server: FastifyInstance | null = null;
  private route: Renewal | null = null;
  private name: string | null = null;
  // Opening and closing one after the other, so that two clicks cannot leave a route without its server.
  private turn: Promise<unknown> = Promise.resolve();

  constructor(agent: Agent) {
    this.agent = agent;
    agent.onStop(() => this.close());
  }

  /** The hostname that leads here now; null when none does. */
  get hostname(): string | null {
    return this.route?.state === 'lost' ? null : this.name;
  }

  /** Resolves to the hostname. Rejects with a DaemonError when the daemon refuses it. */
  open(hostname: string): Promise<string> {
    return this.inTurn(async () => {
      if (this.hostname !== null) return this.hostname;
      await this.shut();
      const daemon = this.agent.daemon;
      if (daemon === null) throw new Error('a preview needs a daemon');
      const { server, port } = await listen(this.agent.environment.host);
      this.server = server;
      try {
        this.route = await daemon.keepRoute({ hostname, target: `:${port}` });
      } catch (error) {
        await this.shut();
        throw error;
      }
      this.name = hostname;
      return hostname;
    });
  }

  close(): Promise<void> {
    return this.inTurn(() => this.shut());
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => undefined);
    return result;
  }

  /** The route first: nobody should be led to a port that is closed already. */
  private async shut(): Promise<void> {
    const { route, server } = this;
    this.route = null;
    this.server = null;
    this.name = null;
    try {
      await route?.drop();
    } finally {
      await server?.close();
    }
  }
}

/** `preview.` under the first wildcard that the agent may register; null when there is none. */
export function previewHostname(self: SelfView | null): string | null {
  const wildcard = self?.domains.find((domain) => domain.startsWith('*.'));
  return wildcard === undefined ? null : `preview.${wildcard.slice(2)}`;
}

const STYLE = `
body { display: grid; place-content: center; min-height: 90vh; margin: 0; padding: 1.5rem; font: 1.1rem/1.55 system-ui, sans-serif;
  background: light-dark(#fbf6ee, #12151f); color: light-dark(#26221c, #eae6dd); }
main { max-width: 34rem; }
h1 { font: 600 2.2rem/1.2 ui-serif, Georgia, serif; }
`;

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>hello: preview</title>
<style>${STYLE}</style>
<main>
<h1>A preview</h1>
<p>This is a second port of the same process, reached by a hostname that the agent registered itself a moment ago.</p>
<p>A request here counts as activity of the agent. Once it sleeps, this address leads nowhere, until it is registered again.</p>
</main>
</html>
`;

const POLICY = `default-src 'none'; style-src '${hashOf(STYLE)}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

async function listen(host: string): Promise<{ readonly server: FastifyInstance; readonly port: string }> {
  const server = Fastify({ forceCloseConnections: 'idle' });
  server.get('/', (_request, reply) =>
    reply
      .header('content-type', 'text/html; charset=utf-8')
      .header('content-security-policy', POLICY)
      .header('cache-control', 'no-store')
      .send(PAGE),
  );
  const url = await server.listen({ host, port: 0 });
  return { server, port: new URL(url).port };
}
