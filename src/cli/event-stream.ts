/**
 * Server-Sent Events, read as they come (WHATWG HTML section 9.2.6): lines end in LF, CR or CRLF, and a chunk may end anywhere,
 * also between CR and LF. Pure: bytes in, events out.
 */
export interface StreamEvent {
  readonly event: string;
  readonly data: string;
}

/** What one event may hold; a daemon's own are some hundred characters. */
const EVENT_CHARACTERS_MAX = 1024 * 1024;

export class EventStreamReader {
  /** Of the last event, or what the stream has said since; empty: it has told none. */
  lastId = '';
  private readonly decoder = new TextDecoder('utf-8');
  private rest = '';
  private event = '';
  private data: string[] = [];
  private size = 0;
  private endedInCarriageReturn = false;

  /** The events that are complete with this chunk; null when one grows too large, and nothing can be read any more. */
  push(chunk: Uint8Array): StreamEvent[] | null {
    let text = this.decoder.decode(chunk, { stream: true });
    if (this.endedInCarriageReturn && text.startsWith('\n')) text = text.slice(1);
    if (text !== '') this.endedInCarriageReturn = text.endsWith('\r');
    const lines = (this.rest + text).split(/\r\n|\r|\n/);
    this.rest = lines.pop() ?? '';
    const events: StreamEvent[] = [];
    for (const line of lines) {
      this.size += line.length;
      if (this.size > EVENT_CHARACTERS_MAX) return null;
      const event = this.line(line);
      if (event !== null) events.push(event);
    }
    return this.rest.length + this.size > EVENT_CHARACTERS_MAX ? null : events;
  }

  private line(line: string): StreamEvent | null {
    if (line === '') {
      const complete = this.data.length === 0 ? null : { event: this.event || 'message', data: this.data.join('\n') };
      this.event = '';
      this.data = [];
      this.size = 0;
      return complete;
    }
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.event = value;
    if (field === 'id' && !value.includes('\0')) this.lastId = value;
    if (field === 'data') this.data.push(value);
    return null;
  }
}
