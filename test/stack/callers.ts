import { request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { call } from '../support/call.ts';
import { Recording } from '../support/recording.ts';

/** One request: when it began, and the status or the reason why there was none. */
export interface Outcome {
  readonly began: number;
  readonly what: number | string;
}

const CALLERS = 4;
const PAUSE_MS = 20;

/** Callers who go on calling an agent whatever comes back, each time on a connection of its own. */
export class Callers {
  readonly outcomes = new Recording<Outcome>('the outcomes');
  private stopped = false;
  private readonly loops: readonly Promise<void>[];

  constructor(port: number, host: string, path: string) {
    this.loops = Array.from({ length: CALLERS }, async () => {
      while (!this.stopped) {
        const began = performance.now();
        const what = await call({ port, host, path }).then(
          ({ status }) => status,
          (error: unknown) => (error as NodeJS.ErrnoException).code ?? (error as Error).message,
        );
        this.outcomes.push({ began, what });
        await pause(PAUSE_MS);
      }
    });
  }

  /** Resolves once a request that began at `from` or later was answered with 200. */
  async served(from: number): Promise<void> {
    await this.outcomes.first('an answer', ({ began, what }) => began >= from && what === 200);
  }

  /** Resolves once one got no answer. */
  async refused(): Promise<void> {
    await this.outcomes.first('a refusal', ({ what }) => what !== 200);
  }

  async stop(): Promise<readonly Outcome[]> {
    this.stopped = true;
    await Promise.all(this.loops);
    return this.outcomes.items;
  }
}

export interface Unfinished {
  /** Sends the rest of the request, and resolves to the status and the answer. */
  finish(): Promise<readonly [status: number, text: string]>;
}

/** A request that is under way for as long as the test wants: its last byte is kept back. */
export function unfinished(port: number, host: string, path: string): Unfinished {
  const headers = { host: `${host}:${port}`, 'content-type': 'text/plain', 'content-length': '6' };
  const outgoing = request({ host: '127.0.0.1', port, method: 'POST', path, agent: false, headers });
  const answered = new Promise<readonly [number, string]>((resolve, reject) => {
    outgoing.on('error', reject);
    outgoing.on('response', (incoming) => {
      let text = '';
      incoming.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      incoming.on('error', reject).on('end', () => resolve([incoming.statusCode ?? 0, text]));
    });
  });
  outgoing.write('whole');
  // Whoever finishes it hears of it.
  answered.catch(() => undefined);
  return {
    finish: () => {
      outgoing.end('!');
      return answered;
    },
  };
}
