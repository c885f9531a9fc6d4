import { setTimeout as sleep } from 'node:timers/promises';
import type { SelfView } from '../../src/contract/api.ts';
import type { Agent } from '../kit/agent.ts';
import type { DaemonLink } from '../kit/daemon-link.ts';
import { idleTimeoutOf } from './idle-timeout.ts';
import { type Preview, previewHostname } from './preview.ts';

/** What the page shows. Times are RFC 3339. */
export interface LifeView {
  readonly pid: number;
  readonly node: string;
  readonly started_at: string;
  readonly now: string;
  readonly agent: string | null;
  readonly task: { readonly id: string; readonly slot: number; readonly name: string } | null;
  /** `none`: started without a daemon. `silent`: it did not answer just now. */
  readonly daemon: 'none' | 'silent' | 'answers';
  readonly self: SelfView | null;
  /** Null until it could be observed. */
  readonly idle_timeout_ms: number | null;
  readonly open: { readonly requests: number; readonly streams: number; readonly websockets: number; readonly busy: number };
  readonly preview: { readonly hostname: string | null; readonly open: boolean };
}

const LEARN_EVERY_MS = 500;
const LEARN_ATTEMPTS_MAX = 240;

/** The process' own view of its life, put together from what the daemon says and what is open here. */
export class Life {
  private readonly agent: Agent;
  private readonly preview: Preview;
  private readonly startedAt = new Date();
  private idleTimeoutMs: number | null = null;
  private learning = false;

  constructor(agent: Agent, preview: Preview) {
    this.agent = agent;
    this.preview = preview;
    if (agent.daemon !== null) void this.learn(agent.daemon);
  }

  async view(): Promise<LifeView> {
    const { agent } = this;
    const self = await this.ask();
    if (agent.daemon !== null && this.idleTimeoutMs === null) void this.learn(agent.daemon);
    return {
      pid: process.pid,
      node: process.version,
      started_at: this.startedAt.toISOString(),
      now: new Date().toISOString(),
      agent: agent.environment.agent,
      task: agent.environment.task,
      daemon: agent.daemon === null ? 'none' : self === null ? 'silent' : 'answers',
      self,
      idle_timeout_ms: this.idleTimeoutMs,
      open: {
        requests: agent.inFlight,
        streams: agent.streams.open,
        websockets: agent.socketsOpen,
        busy: agent.daemon?.busy.held ?? 0,
      },
      preview: { hostname: this.preview.hostname ?? previewHostname(self), open: this.preview.hostname !== null },
    };
  }

  private async ask(): Promise<SelfView | null> {
    const { daemon } = this.agent;
    if (daemon === null) return null;
    try {
      return await daemon.calls.self();
    } catch {
      return null;
    }
  }

  /**
   * While a request is open `sleeps_at` is null, so the answer to the page's own request can never hold it. It is asked for
   * in the quiet between requests instead; asking the internal port is no activity.
   */
  private async learn(daemon: DaemonLink): Promise<void> {
    if (this.learning) return;
    this.learning = true;
    for (let attempt = 0; attempt < LEARN_ATTEMPTS_MAX && this.idleTimeoutMs === null; attempt += 1) {
      await sleep(LEARN_EVERY_MS, undefined, { ref: false });
      const self = await daemon.calls.self().catch(() => null);
      if (self !== null) this.idleTimeoutMs = idleTimeoutOf(self);
    }
    this.learning = false;
  }
}
