import { METHODS } from 'node:http';

/**
 * llhttp, as this node has it: the same binding that node:http reads with, strict, and without the JavaScript above it. An
 * http.request over a pair of streams would show neither where a message ends nor header pairs before node has joined
 * them, and is a hundred times slower. The module has no types and no promise of staying; no test of behaviour hangs on it.
 */
interface NodeParser {
  initialize(type: number, resource: object, headerBytesMax: number, lenient: number): void;
  execute(bytes: Uint8Array): number | (Error & { code: string });
  finish(): (Error & { code: string }) | undefined;
  close(): void;
  [callback: number]: (...values: never[]) => unknown;
}
interface NodeParserClass {
  new (): NodeParser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kLenientNone: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}
const { HTTPParser } = process.getBuiltinModule('node:_http_common') as unknown as {
  readonly HTTPParser: NodeParserClass;
};

/** llhttp tells a method by a number, and node's table of them has no module; so each has been read once. */
const methods: string[] = [];
for (const method of METHODS) {
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.REQUEST, {}, 0, HTTPParser.kLenientNone);
  parser[HTTPParser.kOnHeadersComplete] = (...[, , , number]: HeadersComplete) => {
    methods[number ?? -1] = method;
    return 2;
  };
  parser.execute(Buffer.from(`${method} ${method === 'CONNECT' ? 'a:1' : '/'} HTTP/1.1\r\nHost: a\r\n\r\n`));
  parser.close();
}

/** Above what is ours to refuse, so that llhttp does not refuse it first. */
const HEADER_BYTES_MAX = 128 * 1024;

export interface NodeHead {
  readonly major: number;
  readonly minor: number;
  /** Name, value, name, value. */
  readonly pairs: readonly string[];
  /** Of a request. */
  readonly method: string;
  readonly url: string;
  /** Of an answer. */
  readonly status: number;
  readonly reason: string;
  readonly isUpgrade: boolean;
  readonly keepAlive: boolean;
}

export interface NodeEvents {
  /** 0: its body follows as its head says. 1: it has none. 2: nor does HTTP follow. */
  head(head: NodeHead): 0 | 1 | 2;
  body(bytes: string): void;
  whole(trailers: readonly string[]): void;
}

export class StrictParser {
  private readonly parser = new HTTPParser();
  private early: string[] = [];

  constructor(kind: 'request' | 'answer', events: NodeEvents) {
    const { parser } = this;
    parser.initialize(
      kind === 'request' ? HTTPParser.REQUEST : HTTPParser.RESPONSE,
      {},
      HEADER_BYTES_MAX,
      HTTPParser.kLenientNone,
    );
    // Lines come so when they are many, and trailers.
    parser[HTTPParser.kOnHeaders] = (lines: string[], url: string) => {
      this.early.push(...lines);
      this.url += url;
    };
    parser[HTTPParser.kOnHeadersComplete] = (
      ...[major, minor, lines, method, url, status, reason, isUpgrade, keepAlive]: HeadersComplete
    ) => {
      const pairs = [...this.early, ...(lines ?? [])];
      this.early = [];
      const whole = this.url + (url ?? '');
      this.url = '';
      return events.head({
        ...{ major, minor, pairs, method: methods[method ?? -1] ?? '', url: whole, status: status ?? 0, reason: reason ?? '' },
        ...{ isUpgrade, keepAlive },
      });
    };
    parser[HTTPParser.kOnBody] = (bytes: Buffer) => events.body(bytes.toString('latin1'));
    parser[HTTPParser.kOnMessageComplete] = () => {
      const trailers = this.early;
      this.early = [];
      // Told again with trailers.
      this.url = '';
      events.whole(trailers);
    };
  }

  private url = '';
  /** Bytes of the last read that were HTTP. */
  taken = 0;

  /** Null, or why it refuses: llhttp's code. Behind an upgrade it takes nothing, which {@link taken} tells. */
  feed(bytes: Uint8Array): string | null {
    const done = this.parser.execute(bytes);
    this.taken = typeof done === 'number' ? done : 0;
    return typeof done === 'number' ? null : done.code;
  }

  /** The connection has ended. Null, or why it may not end here. */
  end(): string | null {
    return this.parser.finish()?.code ?? null;
  }

  close(): void {
    this.parser.close();
  }
}

type HeadersComplete = [
  ...[major: number, minor: number, lines: string[] | undefined, method: number | undefined, url: string | undefined],
  ...[status: number | undefined, reason: string | undefined, isUpgrade: boolean, keepAlive: boolean],
];
