import type { Outlook } from '../core/outlook.ts';
import type { Destination } from '../runtime/traffic.ts';
import { after, type Instant, millisOf } from '../std/time.ts';
import type { Answer } from './answer.ts';
import type { Front } from './front.ts';
import { sceneOf, slowIn } from './page/scene.ts';

/**
 * `GET /.reveille/state`: how an agent stands, now and after every change, as Server-Sent Events (WHATWG HTML section 9.2).
 * For the waiting page, and for whoever wants to wait without asking again and again. Anybody may read it, so it is bounded
 * for each agent and in all, tells no more than the page shows, wakes nobody, and counts as no work.
 */
export const STATE_PATH = '/.reveille/state';
/** The daemon's own on every hostname of an agent: nothing below it reaches one. */
export const OWN_PATHS = '/.reveille/';

/** Proxies cut streams that are silent; the usual limit is a minute. */
const COMMENT_EVERY = millisOf(15_000);

/**
 * One reader that has its place. A reader is bounded by what waits for it: with more than the socket takes it does not read, and
 * is cut off, since the latest event is all it could want and a queue of old ones is of no use.
 */
export class StateStream {
  private readonly front: Front;
  private readonly answer: Answer;
  private readonly destination: Destination;
  private readonly unwatch: () => void;
  private commentDue: Instant;
  /** A start that takes too long changes what the page says, though the agent has not changed. */
  private slowDue: Instant | null = null;
  private isOver = false;

  /** Sends the head and the first event at once. */
  constructor(front: Front, answer: Answer, destination: Destination, requestId: string) {
    this.front = front;
    this.answer = answer;
    this.destination = destination;
    this.commentDue = after(front.clock.now(), COMMENT_EVERY);
    answer.open([
      ...['Content-Type', 'text/event-stream; charset=utf-8'],
      ...['Cache-Control', 'no-store'],
      ...['X-Request-Id', requestId],
      ...['X-Accel-Buffering', 'no'],
    ]);
    this.unwatch = destination.watch(() => this.tell());
    this.tell();
  }

  pulse(now: Instant): void {
    if (this.isOver) return;
    if (this.slowDue !== null && now >= this.slowDue) this.tell();
    else if (now >= this.commentDue) this.send(': still here\n\n');
  }

  /** Nothing more will come. */
  end(): void {
    if (this.isOver) return;
    this.close();
    this.answer.end([]);
  }

  /** The reader has gone, or is made to. Gives its place back, once. */
  close(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.unwatch();
    this.front.stateReaders.leave(this.destination.agent);
  }

  private tell(): void {
    const outlook = this.isOver ? null : this.destination.outlook();
    if (outlook === null) {
      this.end();
      return;
    }
    const slow = slowIn(outlook);
    this.slowDue = slow === null ? null : after(this.front.clock.now(), slow);
    this.send(`data: ${JSON.stringify(newsOf(outlook))}\n\n`);
  }

  private send(text: string): void {
    this.commentDue = after(this.front.clock.now(), COMMENT_EVERY);
    if (this.answer.say(text)) return;
    this.close();
    this.answer.cut();
  }
}

function newsOf(outlook: Outlook): Readonly<Record<string, unknown>> {
  const { state, reason, elapsed, typical, retryAfterSeconds } = outlook;
  const { againSeconds, ...scene } = sceneOf(outlook);
  return {
    state,
    ...(reason === null ? {} : { reason }),
    ...(elapsed === null ? {} : { elapsedMs: Math.round(elapsed) }),
    ...(typical === null ? {} : { typicalMs: Math.round(typical) }),
    ...(scene.kind === 'open' ? {} : { retryAfterSeconds }),
    page: { ...scene, ...(againSeconds === null ? {} : { againSeconds }) },
  };
}
