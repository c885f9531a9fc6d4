/**
 * Whether what comes back on a connection is the answers to what was asked on it, before the client sees it. The client
 * believes its server: a word that it does not know it prints, a size that cannot be ends the process, and the answer to
 * another question it takes for this one's, where "nothing found" would be a lie with consequences. Nothing of a value is kept
 * here, and of a line at most its limit.
 */
export interface Expected {
  /** The line that ends the answer; errors always may. */
  readonly last: RegExp;
  /** Values of these keys may come before it. */
  readonly keys: ReadonlySet<string>;
}

/** A VALUE line with its key of 250 bytes, and the longest error. */
const LINE_BYTES_MAX = 1024;
const VALUE = /^VALUE (\S{1,250}) [0-9]{1,10} ([0-9]{1,7})(?: [0-9]{1,20})?$/;
const ERROR = /^(?:ERROR|CLIENT_ERROR .*|SERVER_ERROR .*)$/;

export class Answers {
  private readonly expected: Expected[] = [];
  private line = '';
  /** Of a value, without its end of line. */
  private bytesToCome = 0;
  private afterValue = false;

  /** In the order in which it is asked. */
  expect(answer: Expected): void {
    this.expected.push(answer);
  }

  /** Null, or what is wrong with the connection from here on. */
  read(chunk: Buffer): string | null {
    for (let at = 0; at < chunk.length;) {
      const skipped = Math.min(this.bytesToCome, chunk.length - at);
      this.bytesToCome -= skipped;
      at += skipped;
      if (at === chunk.length) return null;
      const newline = chunk.indexOf(NEWLINE, at);
      const end = newline < 0 ? chunk.length : newline + 1;
      if (this.line.length + end - at > LINE_BYTES_MAX) return 'a line without an end';
      this.line += chunk.toString('latin1', at, end);
      at = end;
      if (newline < 0) return null;
      const wrong = this.whole(this.line);
      if (wrong !== null) return wrong;
      this.line = '';
    }
    return null;
  }

  private whole(line: string): string | null {
    if (!line.endsWith('\r\n')) return shown(line);
    const text = line.slice(0, -2);
    if (this.afterValue) {
      this.afterValue = false;
      return text === '' ? null : 'a value of another size than it was to have';
    }
    const [expected] = this.expected;
    if (expected === undefined) return `${shown(text)}, which answers nothing`;
    const [, key, bytes] = VALUE.exec(text) ?? [];
    if (key !== undefined && expected.keys.has(key)) {
      this.bytesToCome = Number(bytes);
      this.afterValue = true;
      return null;
    }
    if (!expected.last.test(text) && !ERROR.test(text)) return shown(text);
    this.expected.shift();
    return null;
  }
}

const NEWLINE = 10;
const shown = (text: string): string => JSON.stringify(text.slice(0, 60));
