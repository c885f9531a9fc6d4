import type { Outlook } from '../core/outlook.ts';
import type { AgentStateName } from '../contract/events.ts';
import type { ProblemCode } from '../contract/problems.ts';
import type { Destination, Traffic, Work } from '../runtime/traffic.ts';
import type { RequestHead } from './head.ts';
import { OWN_PATHS, STATE_PATH } from './state-stream.ts';

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
  | { readonly kind: 'proxy'; readonly agent: string; readonly work: Work };

// `frozen` belongs here too once it exists: a frozen agent is woken by the request itself.
const AWAKE: ReadonlySet<AgentStateName> = new Set<AgentStateName>(['ready', 'running']);

/**
 * What a caller meets. Requests and upgrades are decided here alike, so that no rule can hold for one and be forgotten for
 * the other. Synchronous from the look-up to the counting of the work (promise B). `cut` is handed to the runtime.
 */
export function admit(
  head: RequestHead,
  kind: 'request' | 'upgrade',
  traffic: Traffic,
  draining: boolean,
  cut: () => void,
): Decision {
  if (draining) return refuse(null, 'draining', null);
  const destination = traffic.lookup(head.host);
  if (destination === null) return refuse(null, 'unknown-host', null);
  const { agent } = destination;
  if (head.path.startsWith(OWN_PATHS)) return ownPath(head, kind, destination);
  const own = destination.configured ? ownAnswer(head, destination) : null;
  if (own !== null) return own;
  const admission = destination.admit(kind, cut);
  switch (admission.kind) {
    case 'admitted':
      return { kind: 'proxy', agent, work: admission.work };
    case 'asleep':
      return {
        kind: 'answer',
        agent,
        status: 503,
        json: { status: admission.state, agent },
        retryAfterSeconds: admission.retryAfterSeconds,
      };
    case 'refused':
      return refuse(agent, admission.problem, admission.retryAfterSeconds);
  }
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
    const refused = destination.want('api');
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
