import type { EventBody, EventType } from '../contract/events.ts';
import type { Clock } from '../ports/clock.ts';
import { rfc3339 } from '../std/time.ts';

/** Readers of the event stream at a time. */
const READERS_MAX = 64;

/** What happened, numbered and handed on in order. Keeps nothing: who was not there has missed it. */
export class EventLog {
  private id = 0;
  private readonly readers = new Set<(event: EventBody) => void>();
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  publish(type: EventType, facts: Readonly<Record<string, unknown>> = {}): void {
    this.id += 1;
    const event: EventBody = { id: this.id, type, ...facts, at: rfc3339(this.clock.wall()) };
    // Later, so that a reader that calls back into the runtime finds a finished step.
    for (const reader of this.readers) queueMicrotask(() => this.readers.has(reader) && reader(event));
  }

  /** How to stop, or null when there are too many readers. */
  subscribe(reader: (event: EventBody) => void): (() => void) | null {
    if (this.readers.size >= READERS_MAX) return null;
    this.readers.add(reader);
    return () => void this.readers.delete(reader);
  }
}
