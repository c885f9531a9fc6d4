import type { AgentIgnoreConfig } from '../../../src/contract/config.ts';
import type { Outlook } from '../../../src/core/outlook.ts';
import type { AgentStateName, WakeCause } from '../../../src/contract/events.ts';
import type { Hostname } from '../../../src/contract/hostname.ts';
import type {
  Admission,
  Destination,
  Held,
  Refused,
  SleepRules,
  Target,
  Traffic,
  Turned,
  Waiting,
  Work,
} from '../../../src/runtime/traffic.ts';
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
  /** Said to who would wake it. */
  wakeRefusedWith: Refused | null = null;
  readonly wanted: WakeCause[] = [];
  /** Whose wake each of them was. */
  readonly clients: (string | null)[] = [];
  admitted = 0;
  open = 0;
  upgraded = 0;
  touched = 0;
  readonly cuts = new Set<() => void>();
  /** What of its outlook is not the usual; `isGone`: it has none any more. */
  view: Partial<Outlook> = {};
  isGone = false;
  readonly watchers = new Set<() => void>();
  ignore: AgentIgnoreConfig = { defaults: null, rules: [] };
  sleepRules: SleepRules = {
    mode: 'refuse',
    frozen: false,
    typicalStart: null,
    preferHoldBelow: millisOf(0),
    bodyBufferMax: 64 * 1024,
  };
  /** Those who wait, in order. */
  readonly waiting: { readonly kind: 'request' | 'upgrade'; readonly waiting: Waiting; readonly cut: () => void }[] = [];
  passed = 0;

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

  want(cause: WakeCause, client: string | null): Refused | null {
    this.clients.push(client);
    this.wanted.push(cause);
    if (this.wakeRefusedWith !== null) return this.wakeRefusedWith;
    if (this.refuseWith === null && this.current === 'sleeping') this.current = 'starting';
    return this.refuseWith;
  }

  admit(_kind: 'request' | 'upgrade', cut: () => void): Admission {
    if (this.refuseWith !== null) return this.refuseWith;
    if (this.isOpen) return { kind: 'admitted', work: this.work(cut) };
    return { kind: 'asleep', state: this.current, retryAfterSeconds: 3 };
  }

  call(kind: 'request' | 'upgrade', client: string | null): Turned {
    return this.want(kind, client) ?? { kind: 'asleep', state: this.current, retryAfterSeconds: 3 };
  }

  hold(kind: 'request' | 'upgrade', client: string | null, waiting: Waiting, cut: () => void): Held | Turned {
    const refused = this.want(kind, client);
    if (refused !== null) return refused;
    const entry = { kind, waiting, cut };
    this.waiting.push(entry);
    return { kind: 'held', leave: () => void this.waiting.splice(this.waiting.indexOf(entry), 1) };
  }

  pass(cut: () => void): Admission | null {
    if (!this.isOpen) return null;
    this.passed += 1;
    return { kind: 'admitted', work: this.work(cut) };
  }

  /** It is awake now: whoever waits is let in, in order. */
  wakeUp(): void {
    this.current = 'ready';
    for (const { kind, waiting, cut } of this.waiting.splice(0)) waiting.settled(this.admit(kind, cut));
  }

  private get isOpen(): boolean {
    return this.current === 'ready' || this.current === 'running';
  }

  private work(cut: () => void): Work {
    this.admitted += 1;
    this.open += 1;
    this.cuts.add(cut);
    let ended = false;
    let cutter = cut;
    return {
      target: this.target,
      upgraded: (instead = cutter) => {
        this.upgraded += 1;
        this.cuts.delete(cutter);
        this.cuts.add(instead);
        cutter = instead;
      },
      touch: () => void (this.touched += 1),
      end: () => {
        if (ended) return;
        ended = true;
        this.open -= 1;
        this.cuts.delete(cutter);
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
