import type { Address } from '../../src/ports/engine.ts';
import { PatternCheck } from '../withstand/pattern.ts';
import { type Received, StrictClient } from '../withstand/strict-client.ts';

/** One request of the soak from the client's side, and what was wrong with its answer. */
export interface Visited {
  readonly agent: string;
  /** Null: it was as it should be. Begins with what can be explained: a status, `cut`, `no answer`. */
  readonly wrong: string | null;
  /** What the soak itself did to this request, which then had to fail. */
  readonly cause: string | null;
}

/** Longer than a cold start takes on a machine with too much to do. */
export const PATIENCE_MS = 60_000;
/** Less than limits.keep_alive: a connection that the daemon is just ending would be a failure without a cause. */
const IDLE_MAX_MS = 30_000;

export class Clients {
  readonly address: Address;
  private readonly idle: { readonly client: StrictClient; readonly since: number }[] = [];

  constructor(address: Address) {
    this.address = address;
  }

  /** A connection that others have used before, or a new one. */
  async take(): Promise<StrictClient> {
    for (let kept = this.idle.pop(); kept !== undefined; kept = this.idle.pop()) {
      if (kept.client.isIdle && performance.now() - kept.since < IDLE_MAX_MS) return kept.client;
      kept.client.destroy();
    }
    return StrictClient.open(this.address);
  }

  give(client: StrictClient): void {
    if (client.isIdle) this.idle.push({ client, since: performance.now() });
    else client.destroy();
  }

  close(): void {
    for (const { client } of this.idle.splice(0)) client.destroy();
  }
}

/** What comes back of a request for a piece of the pattern. */
export class Piece {
  readonly check: PatternCheck;
  readonly answer: Promise<Received>;
  private readonly bytes: number;
  private said = '';
  private status = 0;

  /** `perChunk`: called with each piece of the body. */
  constructor(client: StrictClient, body: number, bytes: number, method = 'GET', perChunk: (() => void) | null = null) {
    this.check = new PatternCheck(body);
    this.bytes = method === 'HEAD' ? 0 : bytes;
    this.answer = client.answer({
      method,
      patienceMs: PATIENCE_MS,
      onHead: ({ status }) => (this.status = status),
      onBody: (chunk) => {
        if (this.status === 200) this.check.take(chunk);
        else this.said += chunk.toString('latin1');
        perChunk?.();
      },
    });
  }

  async wrong(): Promise<string | null> {
    const got = await this.answer;
    const { check } = this;
    if (check.wrongAt !== null || check.bytes > this.bytes) return `a wrong byte at ${check.wrongAt ?? this.bytes}`;
    return (
      wrongWith(got, 200, this.said) ??
      (check.bytes < this.bytes ? `only ${check.bytes} of ${this.bytes} bytes, and whole` : null)
    );
  }
}

/** Null: it is whole, and has this status. */
export function wrongWith({ head, end, why, body }: Received, status: number, said = body.toString('latin1')): string | null {
  if (end === 'malformed' || end === 'silent') return `${end}: ${why}`;
  if (head === null) return `no answer: ${why}`;
  if (head.status !== status) return `${head.status}: ${said.slice(0, 200)}`;
  return end === 'cut' ? `cut: ${why}` : null;
}
