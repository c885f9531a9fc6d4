import { readFileSync } from 'node:fs';
import type { Agent } from '../kit/agent.ts';
import { hashOf } from './content-hash.ts';
import type { Life, LifeView } from './life.ts';

/**
 * The page, in one answer: style, script and the first view of the agent's life are put into the document, so that looking
 * once is one request. The policy names the two by hash, and nothing else runs.
 *
 * By default the page holds no connection and asks the agent nothing. It asks the daemon's `/api/health`, which neither wakes
 * the agent nor counts as activity, so one can watch it fall asleep. Rejected: an event stream that is open from the start.
 * An open stream is work, and the first thing a newcomer would see is an agent that never sleeps.
 */
export function servePage(agent: Agent, life: Life): void {
  const page = compose();
  agent.http.get('/', async (_request, reply) =>
    reply
      .header('content-type', 'text/html; charset=utf-8')
      .header('content-security-policy', page.policy)
      .header('x-content-type-options', 'nosniff')
      .header('referrer-policy', 'no-referrer')
      .header('cache-control', 'no-store')
      .send(page.render(await life.view())),
  );
  agent.http.get('/life', async (_request, reply) => reply.header('cache-control', 'no-store').send(await life.view()));
  agent.http.get('/life/stream', { exposeHeadRoute: false }, (_request, reply) => {
    const stream = agent.streams.start(reply);
    if (stream === null) return;
    const send = async (): Promise<void> => {
      stream.send('life', await life.view());
    };
    void send();
    const timer = setInterval(() => void send(), 1000);
    stream.onClose(() => clearInterval(timer));
  });
}

interface Page {
  readonly policy: string;
  render(view: LifeView): string;
}

function compose(): Page {
  const html = read('page.html');
  const style = ['page.css', 'sky.css'].map(read).join('');
  const script = ['life.js', 'paint.js', 'work.js'].map(read).join('');
  // Replaced by functions: in a replacement that is text, `$&` and the like have a meaning.
  const [before, after] = html
    .replace('<!-- style -->', () => `<style>${style}</style>`)
    .replace('<!-- script -->', () => `<script type="module">${script}</script>`)
    .split('<!-- life -->') as [string, string];
  return {
    policy: [
      "default-src 'none'",
      `style-src '${hashOf(style)}'`,
      `script-src '${hashOf(script)}'`,
      "connect-src 'self'",
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    render: (view) => `${before}<script type="application/json" id="life">${inScript(view)}</script>${after}`,
  };
}

/** JSON that cannot end the script element it stands in, nor open a comment there (WHATWG HTML section 4.12.1.3). */
export const inScript = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c');

const read = (name: string): string => readFileSync(new URL(`page/${name}`, import.meta.url), 'utf8');
