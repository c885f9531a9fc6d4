import type { IncomingMessage } from 'node:http';
import type { Alarm, Clock } from '../ports/clock.ts';
import { assert } from '../std/assert.ts';
import { after, millisOf } from '../std/time.ts';
import { ApiFailure } from './api-failure.ts';
import type { ApiEvent, ApiSystem } from './api.ts';
import type { DockerApi } from './docker-api.ts';

/**
 * The event stream, and with it whether the engine is there at all. It breaks as soon as the engine does, which no poll could
 * notice as fast. Events are subscribed to first and everything is listed then: in the other order whatever happens in
 * between would be missed.
 */
export interface LinkOptions {
  readonly api: DockerApi;
  readonly clock: Clock;
  /** `node`: the one whose engine this is. Lists everything; the link is up once it resolves. */
  readonly connected: (node: string) => Promise<void>;
  readonly up: () => void;
  readonly down: (detail: string) => void;
  /** Down as before, but for another reason, which has come to stay. */
  readonly still: (detail: string) => void;
  readonly event: (event: ApiEvent) => void;
}

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5000;
/** An event is a few hundred bytes. */
const LINE_MAX = 1024 * 1024;
const EVENTS = {
  type: ['service', 'node', 'container'],
  event: ['create', 'update', 'remove', 'start', 'die', 'health_status', 'pause', 'unpause'],
} as const;

export class Link {
  isUp = false;
  /** Why it is not up. */
  detail = 'not connected yet';
  private readonly options: LinkOptions;
  private stream: IncomingMessage | null = null;
  private waitMs = FIRST_WAIT_MS;
  private alarm: Alarm | null = null;
  private closed = false;
  private attempts = 0;
  /** The reason that was told last; null while it is up. */
  private told: string | null = null;

  constructor(options: LinkOptions) {
    this.options = options;
  }

  /** One attempt; resolves whatever came of it. From the first on it never gives up by itself. */
  async connect(): Promise<void> {
    const { api, connected, up } = this.options;
    const attempt = (this.attempts += 1);
    try {
      await api.negotiate();
      const node = ownNode(await api.call<ApiSystem>('info'));
      const stream = await api.stream('events', { query: { filters: EVENTS } });
      if (this.isClosed()) return void stream.destroy();
      this.stream = stream;
      this.follow(stream);
      await connected(node);
      if (this.stream !== stream || this.isClosed()) return;
    } catch (error) {
      assert(error instanceof ApiFailure, 'connecting fails with an ApiFailure');
      // Its stream had broken while it was still listing, and another attempt has followed.
      if (attempt === this.attempts) this.drop(error.message);
      return;
    }
    this.isUp = true;
    this.told = null;
    this.waitMs = FIRST_WAIT_MS;
    up();
  }

  /** The engine is gone, whoever noticed. */
  drop(detail: string): void {
    if (this.closed || this.alarm !== null) return;
    this.cut();
    const { clock, down, still } = this.options;
    const lasts = detail === this.detail;
    this.detail = detail;
    // An engine that starts says one thing and then another; only what it says twice is worth a line.
    if (this.told === null) this.tell(down);
    else if (lasts && detail !== this.told) this.tell(still);
    this.alarm = clock.alarm(after(clock.now(), millisOf(this.waitMs)), () => {
      this.alarm = null;
      void this.connect();
    });
    this.waitMs = Math.min(LONGEST_WAIT_MS, this.waitMs * 2);
  }

  close(): void {
    this.closed = true;
    this.alarm?.cancel();
    this.cut();
  }

  private tell(how: (detail: string) => void): void {
    this.told = this.detail;
    how(this.detail);
  }

  private cut(): void {
    this.isUp = false;
    const { stream } = this;
    this.stream = null;
    stream?.destroy();
  }

  private follow(stream: IncomingMessage): void {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LINE_MAX) stream.destroy(new Error('an event without an end'));
      for (const line of lines) if (line !== '' && this.stream === stream) this.options.event(eventIn(line));
    });
    const ended = (error?: Error): void => {
      if (this.stream === stream) this.drop(`the event stream ended${error === undefined ? '' : `: ${error.message}`}`);
    };
    stream.on('error', ended);
    stream.on('end', ended);
    stream.on('close', ended);
  }

  private isClosed(): boolean {
    return this.closed;
  }
}

/** An event that cannot be read tells nothing; the next listing does. */
function eventIn(line: string): ApiEvent {
  try {
    const event: unknown = JSON.parse(line);
    return typeof event === 'object' && event !== null && !Array.isArray(event) ? event : {};
  } catch {
    return {};
  }
}

/** Where the daemon belongs is said here, because a worker answers every other call with a riddle. */
function ownNode({ Swarm: swarm }: ApiSystem): string {
  if (swarm?.LocalNodeState === 'active' && swarm.ControlAvailable === true) return swarm.NodeID ?? '';
  throw new ApiFailure('away', whyNoManager(swarm));
}

function whyNoManager(swarm: ApiSystem['Swarm']): string {
  switch (swarm?.LocalNodeState ?? 'inactive') {
    case 'active':
      return 'this Docker is a worker of its Swarm: run the daemon on a manager';
    case 'locked':
      return 'this Swarm is locked: run `docker swarm unlock`';
    case 'pending':
      return 'this Docker has not joined its Swarm yet';
    case 'error':
      return `this Docker has fallen out of its Swarm: ${swarm?.Error ?? 'it does not say why'}`;
    default:
      return 'this Docker is not part of a Swarm: run `docker swarm init`';
  }
}
