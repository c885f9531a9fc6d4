import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import type { Address } from '../../src/ports/engine.ts';
import { type Framing, type Line, Malformed, MessageReader, framingOf, valuesOf } from './message-reader.ts';

/**
 * A client that writes whatever it is told to, and takes answers at their word: an answer is whole where its framing says so,
 * and only there. That is what "shown as success" means.
 */
export interface Head {
  readonly status: number;
  readonly speaks11: boolean;
  readonly lines: readonly Line[];
}

export interface Received {
  /** Null: none came. Those of interim answers are only counted. */
  readonly head: Head | null;
  readonly interim: number;
  /** Of a body that nobody else has looked at. */
  readonly body: Buffer;
  /** `whole` by its own framing; `cut` where the connection ended first; `silent` where it took too long. */
  readonly end: 'whole' | 'cut' | 'silent' | 'malformed';
  readonly why: string;
}

interface Expected {
  readonly method: string;
  readonly onInterim: (() => void) | null;
  readonly onHead: ((head: Head) => void) | null;
  readonly onBody: ((chunk: Buffer) => void) | null;
  readonly resolve: (received: Received) => void;
  readonly limit: NodeJS.Timeout | null;
  head: Head | null;
  interim: number;
  readonly chunks: Buffer[];
}

export class StrictClient {
  readonly socket: Socket;
  /** The connection has ended, in whatever way. */
  closed = false;
  /** What followed a 101. */
  onRaw: ((chunk: Buffer) => void) | null = null;
  private readonly expected: Expected[] = [];
  private readonly reader: MessageReader;
  /** An answer has said that it is the last one here. */
  private isLast = false;
  private malformed: string | null = null;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.reader = new MessageReader({
      head: (startLine, lines) => this.headCame(startLine, lines),
      body: (chunk) => this.bodyCame(chunk),
      end: () => this.whole(),
      malformed: (what) => {
        this.malformed = what;
        socket.destroy();
      },
    });
    let reset = '';
    socket.on('data', (chunk: Buffer) => this.reader.read(chunk));
    socket.on('error', (error) => (reset = error.message));
    // A reset is no end: what has no other end is whole only behind a FIN.
    socket.on('end', () => this.reader.ended());
    socket.on('close', () => {
      this.closed = true;
      for (const one of this.expected.splice(0))
        this.settle(one, this.malformed === null ? 'cut' : 'malformed', this.malformed ?? reset);
    });
  }

  static async open(to: Address): Promise<StrictClient> {
    const socket = connect({ host: to.host, port: to.port, noDelay: true });
    const client = new StrictClient(socket);
    await once(socket, 'connect');
    return client;
  }

  /** Nothing is owed on it, so that another request may be sent. */
  get isIdle(): boolean {
    return !this.closed && !this.isLast && this.socket.writable && this.expected.length === 0 && this.reader.isIdle;
  }

  send(bytes: string | Buffer): boolean {
    return typeof bytes === 'string' ? this.socket.write(bytes, 'latin1') : this.socket.write(bytes);
  }

  /** Resolves with the next answer that nobody waits for yet. It never rejects. `onBody` takes the body, which then is not kept. */
  answer(
    options: {
      readonly method?: string;
      readonly patienceMs?: number | null;
      readonly onInterim?: () => void;
      readonly onHead?: (head: Head) => void;
      readonly onBody?: (chunk: Buffer) => void;
    } = {},
  ): Promise<Received> {
    const { method = 'GET', patienceMs = 10_000, onInterim = null, onHead = null, onBody = null } = options;
    return new Promise((resolve) => {
      const limit =
        patienceMs === null ? null : setTimeout(() => this.settle(one, 'silent', `silent for ${patienceMs} ms`), patienceMs);
      const one: Expected = { method, onInterim, onHead, onBody, resolve, limit, head: null, interim: 0, chunks: [] };
      this.expected.push(one);
      if (this.closed) this.settle(one, 'cut', 'the connection had ended before');
    });
  }

  /** Resolves once the connection has ended, or after `ms`. */
  async settled(ms: number): Promise<void> {
    if (this.closed) return;
    await Promise.race([once(this.socket, 'close'), new Promise((resolve) => setTimeout(resolve, ms))]);
  }

  destroy(): void {
    this.socket.destroy();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  private headCame(startLine: string, lines: readonly Line[]): Framing {
    const [, minor = '', digits = ''] = /^HTTP\/1\.([01]) ([1-5]\d\d) ?[\t\x20-\x7e\x80-\xff]*$/.exec(startLine) ?? [];
    if (digits === '') throw new Malformed(`the status line ${JSON.stringify(startLine)}`);
    const status = Number(digits);
    const [current] = this.expected;
    if (current === undefined) {
      // An answer that nobody asked for; but a refusal may come at any time, and is the last one.
      if (status < 400) throw new Malformed(`an answer that belongs to no request: ${startLine}`);
      return framingOf(lines, 'close');
    }
    if (status < 200 && status !== 101) {
      current.interim += 1;
      current.onInterim?.();
      return 'none';
    }
    const options = valuesOf(lines, 'connection').join().toLowerCase();
    this.isLast = options.includes('close') || (minor === '0' && !options.includes('keep-alive'));
    current.head = { status, speaks11: minor === '1', lines };
    current.onHead?.(current.head);
    if (status === 101) {
      this.expected.shift();
      this.settle(current, 'whole', '');
      return 'raw';
    }
    if (current.method === 'HEAD' || status === 204 || status === 304) return 'none';
    if (valuesOf(lines, 'transfer-encoding').length > 0 && minor === '0') throw new Malformed('chunked in HTTP/1.0');
    return framingOf(lines, 'close');
  }

  private bodyCame(chunk: Buffer): void {
    const [current] = this.expected;
    if (current === undefined) this.onRaw?.(chunk);
    else if (current.onBody !== null) current.onBody(chunk);
    else current.chunks.push(chunk);
  }

  private whole(): void {
    const [current] = this.expected;
    // The end of an interim answer, or of one that nobody waits for.
    if (current === undefined || current.head === null) return;
    this.expected.shift();
    this.settle(current, 'whole', '');
  }

  private settle(one: Expected, end: Received['end'], why: string): void {
    if (one.limit !== null) clearTimeout(one.limit);
    const at = this.expected.indexOf(one);
    if (at !== -1) this.expected.splice(at, 1);
    one.resolve({ head: one.head, interim: one.interim, body: Buffer.concat(one.chunks), end, why });
  }
}
