/**
 * Server-sent events out of the bytes of an answer (WHATWG HTML section 9.2), as far as our own stream uses them: `event`
 * and `data`. Rejected: EventSource, which does not tell a world that sleeps (503, and when to come back) from one that
 * is gone, and never notices a connection that died in silence.
 */
export interface StreamEvent {
  readonly event: string;
  readonly data: string;
}

/** More than any event of ours; a stream that exceeds it is not ours. */
const BUFFER_CHARACTERS_MAX = 4_000_000;

/** Takes text as it comes in, in pieces of any size, and gives back the events that it completes. */
export function createEventReader(): (piece: string) => readonly StreamEvent[] {
  let rest = '';
  return (piece) => {
    rest += piece;
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    if (rest.length > BUFFER_CHARACTERS_MAX) throw new RangeError('an event of the stream is too long');
    return blocks.flatMap((block) => {
      const event = readBlock(block);
      return event === null ? [] : [event];
    });
  };
}

/** Null: a comment, which says no more than that the connection lives. */
function readBlock(block: string): StreamEvent | null {
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const [, name = '', value = ''] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
    if (name === 'event') event = value;
    else if (name === 'data') data.push(value);
  }
  return data.length === 0 ? null : { event, data: data.join('\n') };
}
