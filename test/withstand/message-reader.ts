/**
 * HTTP/1.1 messages off a connection, read as strictly as RFC 9112 can be meant: whatever two readers could understand in two
 * ways is malformed. It judges what the proxy writes, to its clients and to its agents, so it shares no code with the proxy
 * and none with node.
 */
export type Line = readonly [name: string, value: string];
/** How the rest of a message is told from the next one. `raw`: the connection speaks something else from here on. */
export type Framing = 'none' | 'chunked' | 'close' | 'raw' | { readonly length: number };

/** Thrown by whoever reads a head, for one that breaks a rule. */
export class Malformed extends Error {}

export interface MessageWatcher {
  /** The head is whole: what follows it? Throws {@link Malformed}. */
  head(startLine: string, lines: readonly Line[]): Framing;
  body(chunk: Buffer): void;
  /** The message is whole. */
  end(trailers: readonly Line[]): void;
  /** What is read from here on means nothing; it is called once. */
  malformed(what: string): void;
}

const HEAD_BYTES_MAX = 256 * 1024;
const EMPTY = Buffer.alloc(0);
type Step = 'head' | 'length' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailers' | 'close' | 'raw' | 'malformed';

export class MessageReader {
  private readonly watcher: MessageWatcher;
  private step: Step = 'head';
  private pending: Buffer = EMPTY;
  private left = 0;
  private trailers: Line[] = [];

  constructor(watcher: MessageWatcher) {
    this.watcher = watcher;
  }

  /** Between two messages, without a byte of the next. */
  get isIdle(): boolean {
    return this.step === 'head' && this.pending.length === 0;
  }

  read(chunk: Buffer): void {
    try {
      for (let rest = chunk; rest.length > 0 && this.step !== 'malformed';) rest = this.take(rest);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.step = 'malformed';
      this.watcher.malformed(error.message);
    }
  }

  /** The connection has ended in order, which ends a message that has no other end. False: one was cut short. */
  ended(): boolean {
    if (this.step === 'close') this.whole();
    return this.isIdle || this.step === 'raw' || this.step === 'malformed';
  }

  private take(bytes: Buffer): Buffer {
    switch (this.step) {
      case 'head':
        return this.takeHead(bytes);
      case 'length':
      case 'chunk':
        return this.takeBody(bytes);
      case 'close':
      case 'raw':
        this.watcher.body(bytes);
        return EMPTY;
      case 'malformed':
        return EMPTY;
      case 'chunk-size':
      case 'chunk-end':
      case 'trailers':
        return this.takeLine(bytes);
    }
  }

  private takeHead(bytes: Buffer): Buffer {
    const all = this.pending.length === 0 ? bytes : Buffer.concat([this.pending, bytes]);
    const end = all.indexOf('\r\n\r\n');
    if (end === -1) {
      if (all.length > HEAD_BYTES_MAX) throw new Malformed('a head without an end');
      this.pending = all;
      return EMPTY;
    }
    this.pending = EMPTY;
    const [startLine = '', ...lines] = all.toString('latin1', 0, end).split('\r\n');
    const framing = this.watcher.head(startLine, lines.map(lineOf));
    const rest = all.subarray(end + 4);
    if (typeof framing === 'object') {
      this.left = framing.length;
      this.step = 'length';
      if (this.left === 0) this.whole();
    } else if (framing === 'none') this.whole();
    else this.step = framing === 'chunked' ? 'chunk-size' : framing;
    return rest;
  }

  private takeBody(bytes: Buffer): Buffer {
    const part = bytes.subarray(0, this.left);
    this.left -= part.length;
    this.watcher.body(part);
    if (this.left === 0) {
      if (this.step === 'chunk') this.step = 'chunk-end';
      else this.whole();
    }
    return bytes.subarray(part.length);
  }

  private takeLine(bytes: Buffer): Buffer {
    const all = this.pending.length === 0 ? bytes : Buffer.concat([this.pending, bytes]);
    const end = all.indexOf('\r\n');
    if (end === -1) {
      if (all.length > HEAD_BYTES_MAX) throw new Malformed('a line without an end');
      this.pending = all;
      return EMPTY;
    }
    this.pending = EMPTY;
    this.line(all.toString('latin1', 0, end));
    return all.subarray(end + 2);
  }

  private line(text: string): void {
    if (this.step === 'trailers') {
      if (text === '') this.whole();
      else this.trailers.push(lineOf(text));
    } else if (this.step === 'chunk-end') {
      if (text !== '') throw new Malformed(`${JSON.stringify(text)} behind a chunk`);
      this.step = 'chunk-size';
    } else {
      // No extension: a proxy frames anew, so none of them has a reason to be here.
      if (!/^[0-9A-Fa-f]{1,8}$/.test(text)) throw new Malformed(`a chunk of ${JSON.stringify(text)} bytes`);
      this.left = Number.parseInt(text, 16);
      this.step = this.left === 0 ? 'trailers' : 'chunk';
    }
  }

  private whole(): void {
    const { trailers } = this;
    this.step = 'head';
    this.trailers = [];
    this.watcher.end(trailers);
  }
}

function lineOf(text: string): Line {
  const [, name, value] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new Malformed(`the line ${JSON.stringify(text)}`);
  return [name, value.trimEnd()];
}

/** All values of one field, whose name is in lower case. */
export const valuesOf = (lines: readonly Line[], name: string): readonly string[] =>
  lines.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);

/** Content-Length and Transfer-Encoding as one party may write them: one or the other, once; `otherwise` where neither is there. */
export function framingOf(lines: readonly Line[], otherwise: Framing): Framing {
  const [length, ...moreLengths] = valuesOf(lines, 'content-length');
  const [coding, ...moreCodings] = valuesOf(lines, 'transfer-encoding');
  if (moreLengths.length + moreCodings.length > 0) throw new Malformed('framed twice');
  if (coding === undefined && length === undefined) return otherwise;
  if (coding !== undefined && length !== undefined) throw new Malformed('both Content-Length and Transfer-Encoding');
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    throw new Malformed(`the transfer coding ${JSON.stringify(coding)}`);
  if (length === undefined) return 'chunked';
  if (!/^\d{1,15}$/.test(length)) throw new Malformed(`the length ${JSON.stringify(length)}`);
  return { length: Number(length) };
}
