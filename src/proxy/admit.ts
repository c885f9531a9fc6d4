import { CURABLE, type Outlook } from '../core/outlook.ts';
import type { AgentStateName } from '../contract/events.ts';
import type { ProblemCode } from '../contract/problems.ts';
import type { Admission, Destination, Held, Traffic, Waiting, Work } from '../runtime/traffic.ts';
import type { RequestHead } from './head.ts';
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
  traffic: Traffic,
  draining: boolean,
  asking: Asking,
): Decision {
  if (draining) return refuse(null, 'draining', null);
  const destination = traffic.lookup(head.host);
  if (destination === null) return refuse(null, 'unknown-host', null);
  const { agent } = destination;
  if (head.path.startsWith(OWN_PATHS)) return ownPath(head, kind, destination);
  const own = destination.configured ? ownAnswer(head, destination) : null;
  if (own !== null) return own;
  const cut = (): void => asking.cut();
  const admission = destination.admit(kind, cut);
  if (admission.kind !== 'asleep') return decided(destination, admission, false);
  const rules = destination.sleepRules;
  const isSeen = seesPage(head, rules);
  if (mannerOf(head, kind, rules) !== 'hold') return decided(destination, destination.call(kind, null), isSeen);
  const held = destination.hold(kind, null, asking, cut);
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

/** The two paths of a configured hostname that the daemon keeps for itself. Neither counts as work; only the second wakes. */
function ownAnswer(head: RequestHead, destination: Destination): Decision | null {
  const { agent } = destination;
  if (head.path === '/api/health' && destination.interceptsHealth && (head.method === 'GET' || head.method === 'HEAD')) {
    const state = destination.state();
    const status = AWAKE.has(state) ? 200 : 503;
    return { kind: 'answer', agent, status, json: { status: state, agent }, retryAfterSeconds: null };
  }
  if (head.path === '/api/wake' && head.method === 'POST') {
    const refused = destination.want('api', null);
    if (refused !== null) return refuse(agent, refused.problem, refused.retryAfterSeconds);
    return {
      kind: 'answer',
      agent,
      status: 202,
      json: { status: 'ok', agent, state: destination.state() },
      retryAfterSeconds: null,
    };
  }
  return null;
}
