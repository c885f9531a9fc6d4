import type { EventBody } from '../contract/events.ts';
import type { Control } from '../runtime/control.ts';
import type { EventStream } from './event-stream.ts';

/**
 * What one reader is told: first again what it has missed, then everything as it happens, without a hole or a double in between.
 * While it is behind it reads from what is kept, and what happens meanwhile is kept too; only once it is level is it told
 * directly. So nothing is ever queued for it, and it is told again no faster than it reads.
 */
const BATCH = 100;

export class EventFeed {
  /** Id of the last event that the reader knows of, or that it was told is missing. */
  private position: number;
  private level = false;
  private readonly control: Control;
  private readonly stream: EventStream;

  /** `since`: id of the last event that the reader has; null when it wants nothing told again. */
  constructor(control: Control, stream: EventStream, since: number | null) {
    this.control = control;
    this.stream = stream;
    this.position = since ?? control.lastEventId();
  }

  /** After the head of the stream. */
  begin(): void {
    const last = this.control.lastEventId();
    if (this.position > last) {
      // Numbers were begun anew, or given again after a disk had been full: what this reader has is of another count.
      this.position = 0;
      this.skipTo(last, 'Your Last-Event-ID is newer than any event here: the numbers were begun anew.');
    }
    // An id without data is no event, but a client takes note of it and can ask from there on even if nothing has happened yet.
    this.stream.send(`id: ${this.position}\n\n`);
    this.catchUp();
  }

  /** Something happens. */
  tell(event: EventBody): void {
    // Behind, it comes to this event by itself; it may have done so already.
    if (this.level && event.id > this.position) this.send(event);
  }

  private catchUp(): void {
    const { control, stream } = this;
    while (this.position < control.lastEventId()) {
      const batch = control.eventsAfter(this.position, BATCH);
      for (const event of batch) {
        if (event.id > this.position + 1) this.skipTo(event.id - 1);
        if (this.send(event)) continue;
        stream.whenDrained(() => this.catchUp());
        return;
      }
      if (batch.length === 0) this.skipTo(control.lastEventId());
    }
    this.level = true;
  }

  private send(event: EventBody): boolean {
    this.position = event.id;
    return this.stream.send(`id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  }

  /** Told with the id of the last that is missing, so that a client who comes back from here is not told twice. */
  private skipTo(to: number, detail = 'These events are not kept any more.'): void {
    const missing = { type: 'missing', from: this.position + 1, to, detail };
    this.position = to;
    this.stream.send(`id: ${to}\nevent: missing\ndata: ${JSON.stringify(missing)}\n\n`);
  }
}
