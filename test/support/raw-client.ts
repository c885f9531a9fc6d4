import { once } from 'node:events';
import { type Socket, connect } from 'node:net';

/** Bytes over a socket and back, for what a client of memcached would not send. One character is one byte. */
export class RawClient implements AsyncDisposable {
  readonly socket: Socket;
  closed = false;
  private readonly chunks: Buffer[] = [];
  private taken = 0;
  /** Looked at with each chunk, where all that came would take too long. */
  private tail = '';
  private wake = (): void => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.tail = (this.tail + chunk.toString('latin1', Math.max(0, chunk.length - TAIL_BYTES))).slice(-TAIL_BYTES);
      this.wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      this.wake();
    });
  }

  static async open({ host, port }: { readonly host: string; readonly port: number }): Promise<RawClient> {
    const socket = connect({ host, port, noDelay: true });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** Everything that came and was not taken yet. */
  get received(): string {
    return Buffer.concat(this.chunks).subarray(this.taken).toString('latin1');
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Sends, and resolves to everything said before `version` is answered, which is asked after it. */
  async ask(text: string): Promise<string> {
    this.send(`${text}version\r\n`);
    await this.until(() => VERSION.test(this.tail) || this.closed);
    const said = this.received.replace(VERSION, '');
    this.discard();
    return said;
  }

  discard(): void {
    this.taken += this.received.length;
    this.tail = '';
  }

  async untilClosed(): Promise<string> {
    await this.until(() => this.closed);
    return this.received;
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed) return;
    this.socket.destroy();
    await once(this.socket, 'close');
  }
}

const TAIL_BYTES = 64;
const VERSION = /VERSION [^\r]*\r\n$/;
