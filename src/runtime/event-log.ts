import type { EventBody, EventType } from '../contract/events.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { type Store, StoreError } from '../ports/store.ts';
import { rfc3339 } from '../std/time.ts';

/** Readers of the event stream at a time. */
const READERS_MAX = 64;

/**
 * What happened, numbered, kept and handed on in order. The numbers go on where the last daemon stopped, so that whoever saw one
 * event can ask for those that followed, also when the daemon was killed in between. What is told again is read back from the
 * store: a second copy in memory would only help while the disk is full, and cost every daemon some megabytes for it.
 */
export class EventLog {
  private id: number;
  private failing = false;
  private readonly readers = new Set<(event: EventBody) => void>();
  private readonly clock: Clock;
  private readonly store: Store;
  private readonly log: Log;

  /** Throws StoreError: without the last number the next one would be a lie. */
  constructor(parts: { readonly clock: Clock; readonly store: Store; readonly log: Log }) {
    this.clock = parts.clock;
    this.store = parts.store;
    this.log = parts.log;
    this.id = parts.store.lastEventId();
  }

  /** Of the newest event; 0 before the first. */
  get lastId(): number {
    return this.id;
  }

  publish(type: EventType, facts: Readonly<Record<string, unknown>> = {}): void {
    this.id += 1;
    const event: EventBody = { id: this.id, type, ...facts, at: rfc3339(this.clock.wall()) };
    // Kept first: who has read an event finds those after it by its id, whatever becomes of this process.
    this.keep(event);
    // Later, so that a reader that calls back into the runtime finds a finished step.
    for (const reader of this.readers) queueMicrotask(() => this.readers.has(reader) && reader(event));
  }

  /** How to stop, or null when there are too many readers. */
  subscribe(reader: (event: EventBody) => void): (() => void) | null {
    if (this.readers.size >= READERS_MAX) return null;
    this.readers.add(reader);
    return () => void this.readers.delete(reader);
  }

  /** Events after `id` that are still known, oldest first, at most `limit`. Where one is missing its id is skipped. */
  after(id: number, limit: number): readonly EventBody[] {
    try {
      return this.store.eventsAfter(id, limit).map(({ body }) => body as EventBody);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.log.warn('events could not be read back', { detail: error.message });
      return [];
    }
  }

  /** What cannot be kept is told all the same. Said once, not for each: where the disk is full the log may be on it too. */
  private keep(event: EventBody): void {
    try {
      this.store.addEvent({ id: event.id, body: event });
      if (this.failing) this.log.info('events are kept again', { id: event.id });
      this.failing = false;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (!this.failing) this.log.error('events cannot be kept; they are told, but not again', { detail: error.message });
      this.failing = true;
    }
  }
}
