import { CURABLE, type Outlook } from '../core/outlook.ts';
import type { AgentStateName } from '../contract/events.ts';
import type { ProblemCode } from '../contract/problems.ts';
import type { Admission, Destination, Held, Waiting, Work } from '../runtime/traffic.ts';
import { clientAddress, type Peer } from './client-address.ts';
import type { Front } from './front.ts';
import type { RequestHead } from './head.ts';
import type { WhileAsleep } from './ignore-rule.ts';
import { OWN_PATHS, STATE_PATH } from './state-stream.ts';
import { mannerOf, seesPage } from './manner.ts';

/** What becomes of one request or upgrade. `agent` is null where none was found. */
export type Decision =
  | {
      readonly kind: 'refuse';
      readonly agent: string | null;
      readonly problem: ProblemCode;
      readonly retryAfterSeconds: number | null;
      /** Methods that are served there, with a 405. */
      readonly allow?: string;
    }
  /** What a rule of `ignore` says. */
  | {
      readonly kind: 'text';
      readonly agent: string;
      readonly status: number;
      readonly contentType: string;
      readonly body: string;
    }
  | {
      readonly kind: 'answer';
      readonly agent: string;
      readonly status: number;
      readonly json: Readonly<Record<string, string>>;
      readonly retryAfterSeconds: number | null;
    }
  /** The waiting page, for a person who looks at it. */
  | { readonly kind: 'page'; readonly agent: string; readonly outlook: Outlook }
  | { readonly kind: 'state-stream'; readonly agent: string; readonly destination: Destination }
  | Hold
  | { readonly kind: 'proxy'; readonly agent: string; readonly work: Work };

/** It waits for its agent. */
export interface Hold {
  readonly kind: 'hold';
  readonly agent: string;
  readonly held: Held;
  /** How much of its body may be read meanwhile, in bytes. */
  readonly bodyBufferMax: number;
  /** What becomes of it once it is known. */
  readonly afterwards: (admission: Admission) => Decision;
}

/** Who asks: told when it was held and is settled, and when the runtime may no longer wait for its work. */
export interface Asking extends Waiting {
  cut(): void;
}

const AWAKE: ReadonlySet<AgentStateName> = new Set<AgentStateName>(['ready', 'running', 'frozen']);

/**
 * What a caller meets. Requests and upgrades are decided here alike, so that no rule can hold for one and be forgotten for
 * the other. Synchronous from the look-up to the counting of the work (promise B).
 */
export function admit(
  head: RequestHead,
  kind: 'request' | 'upgrade',
  front: Pick<Front, 'traffic' | 'draining' | 'ignoring' | 'peers'>,
  peer: Peer,
  asking: Asking,
): Decision {
  const { peers } = front;
  if (front.draining) return refuse(null, 'draining', null);
  const destination = front.traffic.lookup(head.host);
  if (destination === null) return refuse(null, 'unknown-host', null);
  const { agent } = destination;
  if (head.path.startsWith(OWN_PATHS)) return ownPath(head, kind, destination);
  if (destination.configured && asksHealth(head, destination)) return healthAnswer(destination);
  const cut = (): void => asking.cut();
  const whileAsleep = front.ignoring.match(destination.ignore, head, peer, peers);
  const isWake = destination.configured && head.path === '/api/wake' && head.method === 'POST';
  if (whileAsleep !== null) return ignored(destination, whileAsleep, isWake, cut);
  if (isWake) return wakeAnswer(destination, clientAddress(head.lines, peer, peers));
  const admission = destination.admit(kind, cut);
  if (admission.kind !== 'asleep') return decided(destination, admission, false);
  const rules = destination.sleepRules;
  const client = clientAddress(head.lines, peer, peers);
  const isSeen = seesPage(head, rules);
  if (mannerOf(head, kind, rules) !== 'hold') return decided(destination, destination.call(kind, client), isSeen);
  const held = destination.hold(kind, client, asking, cut);
  if (held.kind !== 'held') return decided(destination, held, isSeen);
  return {
    kind: 'hold',
    agent,
    held,
    bodyBufferMax: rules.bodyBufferMax,
    afterwards: (settled) => decided(destination, settled, isSeen),
  };
}

/** `isSeen`: by a person, who is shown the page instead of a refusal that waiting may cure. */
function decided(destination: Destination, admission: Admission, isSeen: boolean): Decision {
  const { agent } = destination;
  if (admission.kind === 'admitted') return { kind: 'proxy', agent, work: admission.work };
  const reason = admission.kind === 'refused' ? (CURABLE.find((code) => code === admission.problem) ?? null) : null;
  const outlook = isSeen && (admission.kind === 'asleep' || reason !== null) ? destination.outlook() : null;
  if (outlook !== null) {
    const retryAfterSeconds = admission.retryAfterSeconds ?? outlook.retryAfterSeconds;
    return { kind: 'page', agent, outlook: { ...outlook, reason: reason ?? outlook.reason, retryAfterSeconds } };
  }
  if (admission.kind === 'refused') return refuse(agent, admission.problem, admission.retryAfterSeconds);
  return {
    kind: 'answer',
    agent,
    status: 503,
    json: { status: admission.state, agent },
    retryAfterSeconds: admission.retryAfterSeconds,
  };
}

type Refuse = Extract<Decision, { readonly kind: 'refuse' }>;

const refuse = (agent: string | null, problem: ProblemCode, retryAfterSeconds: number | null): Refuse => ({
  kind: 'refuse',
  agent,
  problem,
  retryAfterSeconds,
});

/** Below /.reveille/ the daemon answers alone, on every hostname, and whatever the state. */
function ownPath(head: RequestHead, kind: 'request' | 'upgrade', destination: Destination): Decision {
  const { agent } = destination;
  if (head.path !== STATE_PATH || kind === 'upgrade') return refuse(agent, 'not-found', null);
  if (head.method !== 'GET') return { ...refuse(agent, 'method-not-allowed', null), allow: 'GET' };
  return { kind: 'state-stream', agent, destination };
}

/** Goes through without counting, or is answered without waking. A wake is neither: it is the daemon's own to answer. */
function ignored(destination: Destination, whileAsleep: WhileAsleep, isWake: boolean, cut: () => void): Decision {
  const { agent } = destination;
  const state = destination.state();
  if (isWake && AWAKE.has(state) && state !== 'frozen') return wakeAnswered(destination);
  const passed = isWake ? null : destination.pass(cut);
  if (passed !== null) return decided(destination, passed, false);
  if (whileAsleep.kind === 'text') return { ...whileAsleep, agent };
  const outlook = destination.outlook();
  // Degraded, failing to start, kept asleep, without an engine: a caller would not be served.
  const isReachable = whileAsleep.kind === 'reachable' && state !== 'degraded' && outlook !== null && outlook.reason === null;
  const retryAfterSeconds = isReachable ? null : (outlook?.retryAfterSeconds ?? null);
  return { kind: 'answer', agent, status: isReachable ? 200 : 503, json: { status: state, agent }, retryAfterSeconds };
}

/** `GET /api/health` on a configured hostname. Neither counts nor wakes. */
function asksHealth({ path, method }: RequestHead, { interceptsHealth }: Destination): boolean {
  return path === '/api/health' && interceptsHealth && (method === 'GET' || method === 'HEAD');
}

function healthAnswer(destination: Destination): Decision {
  const { agent } = destination;
  const state = destination.state();
  return { kind: 'answer', agent, status: AWAKE.has(state) ? 200 : 503, json: { status: state, agent }, retryAfterSeconds: null };
}

/** `POST /api/wake` on a configured hostname. Wakes, and does not count. */
function wakeAnswer(destination: Destination, client: string | null): Decision {
  const refused = destination.want('api', client);
  if (refused !== null) return refuse(destination.agent, refused.problem, refused.retryAfterSeconds);
  return wakeAnswered(destination);
}

function wakeAnswered(destination: Destination): Decision {
  const { agent } = destination;
  return {
    kind: 'answer',
    agent,
    status: 202,
    json: { status: 'ok', agent, state: destination.state() },
    retryAfterSeconds: null,
  };
}
