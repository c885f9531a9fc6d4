import type { Outlook } from '../../../src/core/outlook.ts';
import type { AgentStateName, WakeCause } from '../../../src/contract/events.ts';
import type { Hostname } from '../../../src/contract/hostname.ts';
import type { Admission, Destination, Refused, Target, Traffic, Work } from '../../../src/runtime/traffic.ts';
import type { Address } from '../../../src/ports/engine.ts';
import { millisOf } from '../../../src/std/time.ts';

/** What a test says an agent is, and what it remembers of what was asked. */
export class FakeAgent implements Destination {
  readonly agent: string;
  configured = true;
  interceptsHealth = true;
  current: AgentStateName = 'ready';
  target: Target;
  refuseWith: Refused | null = null;
  readonly wanted: WakeCause[] = [];
  admitted = 0;
  open = 0;
  upgraded = 0;
  touched = 0;
  readonly cuts = new Set<() => void>();
  /** What of its outlook is not the usual; `isGone`: it has none any more. */
  view: Partial<Outlook> = {};
  isGone = false;
  readonly watchers = new Set<() => void>();

  constructor(agent: string, address: Address) {
    this.agent = agent;
    this.target = { key: `${agent}/${address.port}`, address };
  }

  state(): AgentStateName {
    return this.current;
  }

  outlook(): Outlook | null {
    if (this.isGone) return null;
    const { current: state } = this;
    const isStarting = state === 'starting';
    return {
      ...{ state, isComing: isStarting, reason: null, elapsed: isStarting ? millisOf(0) : null },
      ...{ typical: null, startsIn: null, retryAfterSeconds: 3 },
      ...this.view,
    };
  }

  watch(changed: () => void): () => void {
    this.watchers.add(changed);
    return () => void this.watchers.delete(changed);
  }

  /** It is in this state from now on, and whoever watches is told. */
  become(state: AgentStateName, view: Partial<Outlook> = {}): void {
    this.current = state;
    this.view = view;
    for (const changed of [...this.watchers]) changed();
  }

  want(cause: WakeCause): Refused | null {
    this.wanted.push(cause);
    if (this.refuseWith === null && this.current === 'sleeping') this.current = 'starting';
    return this.refuseWith;
  }

  admit(kind: 'request' | 'upgrade', cut: () => void): Admission {
    if (this.refuseWith !== null) return this.refuseWith;
    if (this.current !== 'ready' && this.current !== 'running') {
      this.want(kind);
      return { kind: 'asleep', state: this.current, retryAfterSeconds: 3 };
    }
    return { kind: 'admitted', work: this.work(cut) };
  }

  private work(cut: () => void): Work {
    this.admitted += 1;
    this.open += 1;
    this.cuts.add(cut);
    let ended = false;
    return {
      target: this.target,
      upgraded: () => void (this.upgraded += 1),
      touch: () => void (this.touched += 1),
      end: () => {
        if (ended) return;
        ended = true;
        this.open -= 1;
        this.cuts.delete(cut);
      },
    };
  }
}

export class FakeTraffic implements Traffic {
  readonly hosts = new Map<string, Destination>();

  lookup(host: Hostname): Destination | null {
    return this.hosts.get(host) ?? null;
  }
}
