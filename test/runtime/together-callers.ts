import type { AgentRunner } from '../../src/runtime/agent-runner.ts';
import type { Admission, Destination, Held, Work } from '../../src/runtime/traffic.ts';
import type { Instant } from '../../src/std/time.ts';
import { assert } from '../../src/std/assert.ts';

/** Somebody who calls an agent, as the data plane lets him: what he was told, and when. */
export type CallerKind = 'request' | 'upgrade' | 'uncounted';

export class SimCaller {
  readonly id: number;
  runner: AgentRunner;
  readonly kind: CallerKind;
  readonly arrivedAt: Instant;
  /** Of the hold; null: he was never held. */
  heldUntil: Instant | null = null;
  /** `turned`: he was told no. `left`: gone while he was held. */
  is: 'calling' | 'held' | 'in' | 'turned' | 'left' | 'over' = 'calling';
  work: Work | null = null;
  socket = false;
  /** Cut, and its end has not been told yet: sockets take a while to close. */
  dying = false;
  /** What he was told. */
  told: Exclude<Admission, { kind: 'admitted' }> | null = null;
  private held: Held | null = null;
  private readonly broken: (promise: string) => never;
  private readonly onCut: (caller: SimCaller) => void;

  constructor(
    id: number,
    runner: AgentRunner,
    kind: CallerKind,
    now: Instant,
    ground: { readonly broken: (promise: string) => never; readonly onCut: (caller: SimCaller) => void },
  ) {
    this.id = id;
    this.runner = runner;
    this.kind = kind;
    this.arrivedAt = now;
    this.broken = ground.broken;
    this.onCut = ground.onCut;
  }

  /** Open, counted, and not a socket that may have been let go of. */
  get surelyHolds(): boolean {
    return this.is === 'in' && this.kind !== 'uncounted' && !this.socket && !this.dying;
  }

  get isOpen(): boolean {
    return this.is === 'in';
  }

  /** Calls, and waits where `waits`. `onSettled` is told when what was held is settled. */
  call(destination: Destination, waits: boolean, maxWait: number, onSettled: (caller: SimCaller) => void): void {
    const cut = (): void => this.cut();
    if (this.kind === 'uncounted') {
      const admission = destination.pass(cut);
      if (admission === null) this.is = 'turned';
      else this.take(admission);
      return;
    }
    const { kind } = this;
    const admission = destination.admit(kind, cut);
    if (admission.kind !== 'asleep') return this.take(admission);
    if (!waits) return this.take(destination.call(kind, null));
    const asked = destination.hold(
      kind,
      null,
      {
        settled: (settled) => {
          if (this.is !== 'held') this.broken(`L: a held request is settled once, and not when it is ${this.is}`);
          if (settled.kind === 'refused' && settled.problem === 'upstream-refused')
            this.broken('L: whoever was held is never told 502');
          this.take(settled);
          onSettled(this);
        },
      },
      cut,
    );
    if (asked.kind !== 'held') return this.take(asked);
    // It may not have been settled within the call: the data plane does not know yet that it is held.
    if (this.is !== 'calling') this.broken('L: a request is not settled before it is held');
    this.is = 'held';
    this.held = asked;
    this.heldUntil = (this.arrivedAt + maxWait) as Instant;
  }

  /** Its agent has another policy now: the work goes on under the next runner. */
  under(runner: AgentRunner): this {
    this.runner = runner;
    return this;
  }

  leave(): void {
    assert(this.held !== null && this.is === 'held', 'script: he is held');
    this.is = 'left';
    this.held.leave();
  }

  upgrade(): void {
    this.socket = true;
    this.work?.upgraded();
  }

  end(): void {
    this.is = 'over';
    this.dying = false;
    this.work?.end();
  }

  private take(admission: Admission): void {
    if (admission.kind === 'admitted') {
      this.is = 'in';
      this.work = admission.work;
    } else {
      this.is = 'turned';
      this.told = admission;
    }
  }

  private cut(): void {
    if (this.is !== 'in' || this.dying) this.broken(`B: only what is open is cut, and once (${this.is})`);
    this.onCut(this);
    this.dying = true;
    // Half of them close at once, within the very cut.
    if (this.id % 2 === 0) this.end();
  }
}
