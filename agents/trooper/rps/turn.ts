import { KEYS } from '../../world/keys.ts';
import type { Choice } from '../../world/values.ts';
import { bookIn } from './book.ts';
import { intervalIn } from './interval.ts';
import { isLeftBehind, leaseIn, leaseMove } from './lease.ts';
import type { Player } from './player.ts';
import { type Desk, claimLease, publish } from './publisher.ts';
import { NOTHING_SEEN, type Sight, seeing, untilDue } from './sight.ts';

/**
 * One trooper's part in the rounds, a turn at a time: it looks at the bus, which is one call; publishes if it is the one to;
 * plays if it is not. All that it keeps between turns is what it has seen.
 */
export interface Post {
  readonly desk: Desk;
  readonly player: Pick<Player, 'isBehind' | 'turn'>;
  /** Whether this task manages its service; null: it cannot be learnt now. */
  readonly manages: () => Promise<boolean | null>;
  readonly choose: () => Choice;
  /** Own clock, which never jumps. */
  readonly nowMs: () => number;
  readonly wallMs: () => number;
}

const REST_MS = 250;
const REST_MIN_MS = 10;
/** Who manages changes seldom, and the daemon is asked for it: so often when nothing depends on it. */
const ASK_EVERY_MS = 1000;

export class Turns {
  private readonly post: Post;
  private sight: Sight = NOTHING_SEEN;
  private leaseText: string | null = null;
  private looksBefore = 0;
  private manages: boolean | null = null;
  private askedMs: number | null = null;

  constructor(post: Post) {
    this.post = post;
  }

  /** Resolves to how long to rest. Rejects with a BusError; the next turn finds out what came of this one. */
  async turn(): Promise<number> {
    const { desk, player } = this.post;
    const beganMs = this.post.nowMs();
    const found = await desk.bus.getMany([KEYS.rpsState, KEYS.rpsInterval, KEYS.rpsLease]);
    const intervalSeconds = intervalIn(found.get(KEYS.rpsInterval) ?? null);
    const intervalMs = intervalSeconds * 1000;
    const rounds = bookIn(found.get(KEYS.rpsState) ?? null)?.recent ?? [];
    const times = { beganMs, endedMs: this.post.nowMs(), wallMs: this.post.wallMs(), intervalMs };
    this.sight = seeing(this.sight, { id: rounds.at(-1)?.at ?? null, ...times });
    this.see(found.get(KEYS.rpsLease) ?? null);
    const dueInMs = untilDue(this.sight, this.post.nowMs(), intervalMs);
    const lease = leaseIn(this.leaseText);
    const isHolder = lease?.task_id === desk.taskId;

    const isDue = dueInMs === 0;
    const news = { lease, looksBefore: this.looksBefore, isDue };
    await this.askWhoManages(player.isBehind(rounds) || (!isHolder && (isDue || isLeftBehind(news))));
    const { manages } = this;
    const move = leaseMove({
      ...news,
      isWitness: this.sight.isWitnessed,
      taskId: desk.taskId,
      service: desk.service,
      manages,
    });
    let rest = REST_MS;
    if (move === 'renew' || (move === 'claim' && (await claimLease(desk, this.leaseText)))) {
      rest = await this.keepOn(isDue, intervalSeconds);
    }
    await player.turn(rounds, manages);
    return Math.max(REST_MIN_MS, Math.min(rest, isDue ? REST_MS : dueInMs));
  }

  private async keepOn(isDue: boolean, intervalSeconds: number): Promise<number> {
    const published = await publish(this.post.desk, {
      afterId: this.sight.id,
      isDue,
      intervalSeconds,
      wallMs: this.post.wallMs,
      choose: this.post.choose,
    });
    return published === 'opened' ? REST_MIN_MS : REST_MS;
  }

  private see(leaseText: string | null): void {
    this.looksBefore = leaseText === this.leaseText ? this.looksBefore + 1 : 0;
    this.leaseText = leaseText;
  }

  private async askWhoManages(matters: boolean): Promise<void> {
    const nowMs = this.post.nowMs();
    if (!matters && this.askedMs !== null && nowMs - this.askedMs < ASK_EVERY_MS) return;
    this.manages = await this.post.manages();
    this.askedMs = nowMs;
  }
}
