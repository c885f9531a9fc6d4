import type { AdminServiceView, AgentView, HealthView, OverrideBody, OverrideView, ReloadView } from '../contract/api.ts';
import { KEPT_STATES } from '../contract/events.ts';
import { EXIT } from '../contract/problems.ts';
import { formatDuration, parseDuration } from '../contract/units.ts';
import { done, failed, type Outcome } from '../std/outcome.ts';
import { printable } from '../std/printable.ts';
import { type WallTime, millisOf, parseRfc3339, rfc3339 } from '../std/time.ts';
import { type CallOptions, call } from './admin-client.ts';
import { findDaemon } from './daemon.ts';
import type { Invocation } from './command.ts';
import { list, table } from './table.ts';
import { type Failure, failure, json, report, type Terminal } from './terminal.ts';

/** The commands that ask a daemon and print what it says. With --json it is what the daemon said, as it said it. */

export const status = (invocation: Invocation, terminal: Terminal): Promise<number> =>
  ask(invocation, terminal, async (get) => shown(await get('GET', '/admin/health'), (value) => statusText(value as HealthView)));

export const agents = (invocation: Invocation, terminal: Terminal): Promise<number> =>
  ask(invocation, terminal, async (get) => shown(await get('GET', '/admin/agents'), (value) => agentsText(value as AgentView[])));

export const agent = (invocation: Invocation, terminal: Terminal): Promise<number> =>
  ask(invocation, terminal, async (get) =>
    shown(await get('GET', agentPath(invocation)), (value) => agentText(value as AgentView)),
  );

export const wake = (invocation: Invocation, terminal: Terminal): Promise<number> =>
  ask(invocation, terminal, async (get) => {
    const { wait, timeout } = invocation.options;
    const name = invocation.args[0] ?? '';
    const path = `${agentPath(invocation)}/wake`;
    if (wait === undefined && timeout === undefined) {
      return shown(await get('POST', path), () => `${name} is being woken`);
    }
    const longest = parseDuration(typeof timeout === 'string' ? timeout : '60s');
    if (longest === null || wait === undefined) {
      return failed(
        failure(EXIT.usage, wait === undefined ? '--timeout is for --wait' : '--timeout must be a length of time such as 30s'),
      );
    }
    // The daemon ends the wait; this side only gives up when the daemon does not.
    const within = millisOf(longest + 10_000);
    return shown(await get('POST', `${path}?wait=${formatDuration(longest)}`, { within }), () => `${name} is ready`);
  });

export const sleep = (invocation: Invocation, terminal: Terminal): Promise<number> =>
  ask(invocation, terminal, async (get) => {
    const query = invocation.options.force === true ? '?force=true' : '';
    return shown(
      await get('POST', `${agentPath(invocation)}/sleep${query}`),
      () => `${invocation.args[0] ?? ''} is going to sleep`,
    );
  });

export const keep = (invocation: Invocation, terminal: Terminal): Promise<number> =>
  ask(invocation, terminal, async (get) => {
    const order = keepOrder(invocation, terminal.clock.wall());
    if (!order.ok) return failed(failure(EXIT.usage, order.failure));
    const answer = await get(order.value === null ? 'DELETE' : 'PUT', `${agentPath(invocation)}/override`, {
      ...(order.value === null ? {} : { body: order.value }),
    });
    return shown(answer, (value) => keptText(value as AgentView));
  });

/** What is to be ordered, null to lift what was, or what is wrong with the command line. */
function keepOrder({ args, options }: Invocation, now: WallTime): Outcome<OverrideBody | null, string> {
  const [, state] = args;
  if (options.lift === true)
    return state === undefined && options.until === undefined
      ? done(null)
      : failed('--lift stands alone: nothing is kept after it');
  const kept = KEPT_STATES.find((one) => one === state);
  if (kept === undefined) return failed(`keep needs ${KEPT_STATES.join(' or ')} after the name, or --lift`);
  if (typeof options.until !== 'string') return done({ state: kept });
  const length = parseDuration(options.until);
  const until = length === null ? parseRfc3339(options.until) : ((now + length) as WallTime);
  if (until === null) return failed('--until must be a length of time such as 8h, or a time such as 2026-01-31T18:00:00Z');
  return done({ state: kept, until: rfc3339(until) });
}

/** A hostname and what it reaches: from the config, or registered by an agent. */
interface RouteLine {
  readonly hostname: string;
  readonly agent: string;
  readonly kind: 'static' | 'registered';
  readonly target: string | null;
  readonly created_at: string | null;
  readonly expires_at: string | null;
}

export const routes = (invocation: Invocation, terminal: Terminal): Promise<number> =>
  ask(invocation, terminal, async (get) => {
    const known = await get('GET', '/admin/agents');
    if (!known.ok) return known;
    const registered = await get('GET', '/admin/services');
    if (!registered.ok) return registered;
    const fixed = (known.value as AgentView[]).flatMap(({ name, hostname, hostnames }) =>
      [hostname, ...hostnames].map((one): RouteLine => ({
        hostname: one,
        agent: name,
        kind: 'static',
        target: null,
        created_at: null,
        expires_at: null,
      })),
    );
    const made = (registered.value as AdminServiceView[]).map((one): RouteLine => ({ ...one, kind: 'registered' }));
    const lines = [...fixed, ...made].sort((a, b) => (a.hostname < b.hostname ? -1 : 1));
    return shown(done(lines), () => routesText(lines));
  });

export const reload = (invocation: Invocation, terminal: Terminal): Promise<number> =>
  ask(invocation, terminal, async (get) => shown(await get('POST', '/admin/reload'), (value) => reloadText(value as ReloadView)));

type Get = (method: string, path: string, options?: CallOptions) => Promise<Outcome<unknown, Failure>>;

interface Shown {
  readonly value: unknown;
  readonly text: () => string;
}

const shown = (answer: Outcome<unknown, Failure>, text: (value: unknown) => string): Outcome<Shown, Failure> =>
  answer.ok ? done({ value: answer.value, text: () => text(answer.value) }) : answer;

async function ask(
  invocation: Invocation,
  terminal: Terminal,
  question: (get: Get) => Promise<Outcome<Shown, Failure>>,
): Promise<number> {
  const daemon = findDaemon(invocation, terminal);
  if (!daemon.ok) return report(terminal, daemon.failure);
  const answer = await question((method, path, options) => call(daemon.value, terminal.clock, method, path, options));
  if (!answer.ok) return report(terminal, answer.failure);
  terminal.out(invocation.options.json === true ? json(answer.value.value, 2) : answer.value.text());
  return EXIT.ok;
}

const agentPath = ({ args }: Invocation): string => `/admin/agents/${encodeURIComponent(args[0] ?? '')}`;

function statusText(health: HealthView): string {
  const { engine, config } = health;
  return list([
    ['status', health.status],
    ['up', lengthOf(health.uptime_seconds)],
    ['engine', `${engine.name}, ${engine.connected ? 'connected' : 'not reachable'} since ${engine.since}`],
    ['agents', `${health.agent_count}, of which ${awakeCounts(health)} and ${health.sleeping_count} sleeping`],
    ['websockets', String(health.ws_connections)],
    ['registered routes', String(health.service_count)],
    ['config', `loaded ${config.loaded_at}`],
    ['last reload', config.error],
  ]);
}

const awakeCounts = ({ ready_count, frozen_count }: HealthView): string =>
  frozen_count === 0 ? `${ready_count} ready` : `${ready_count} ready, ${frozen_count} frozen`;

/** The two largest units: nobody wants the seconds of a month. */
function lengthOf(seconds: number): string {
  const whole = Math.floor(seconds);
  if (whole >= 86_400) return `${Math.floor(whole / 86_400)}d ${Math.floor((whole % 86_400) / 3600)}h`;
  if (whole >= 3600) return `${Math.floor(whole / 3600)}h ${Math.floor((whole % 3600) / 60)}m`;
  return whole >= 60 ? `${Math.floor(whole / 60)}m ${whole % 60}s` : `${whole}s`;
}

function agentsText(all: readonly AgentView[]): string {
  if (all.length === 0) return 'There are no agents.';
  const head = ['NAME', 'STATE', 'POLICY', 'TASKS', 'REQUESTS', 'WEBSOCKETS', 'SLEEPS AT', 'HOSTNAME'];
  const rows = all.map((one) => [
    one.name,
    [one.state, one.problem?.code, one.busy && 'busy', one.override && `kept ${one.override.state}`].filter(Boolean).join(', '),
    one.policy,
    `${one.replicas.running}/${one.replicas.wanted}`,
    String(one.in_flight),
    String(one.connections),
    one.sleeps_at ?? '-',
    one.hostname,
  ]);
  return table(head, rows);
}

function agentText(one: AgentView): string {
  const { replicas } = one;
  return list([
    ['name', one.name],
    ['state', `${one.state} since ${one.since}`],
    ['kept', one.override === undefined ? undefined : keptWords(one.override)],
    ['problem', one.problem === undefined ? undefined : `${one.problem.code}: ${one.problem.detail}`],
    ['failed starts', one.attempts === undefined ? undefined : String(one.attempts)],
    ['policy', one.policy],
    ['hostnames', [one.hostname, ...one.hostnames].join(', ')],
    ['backend', one.backend ?? undefined],
    ['service', one.container_name],
    ['health url', one.health_url],
    ['tasks', `${replicas.running} running, ${replicas.wanted} wanted, ${replicas.max} at most`],
    ['requests', one.held === 0 ? String(one.in_flight) : `${one.in_flight}, and ${one.held} that wait for it`],
    ['websockets', String(one.connections)],
    ['last activity', one.last_activity ?? 'none'],
    ['idle timeout', one.idle_timeout],
    ['sleeps at', one.sleeps_at],
    ...(one.busy ?? []).map((lease) => ['busy', `${lease.reason} (task ${lease.task}, until ${lease.expires_at})`] as const),
  ]);
}

const keptWords = ({ state, since, until }: OverrideView): string => `${state} since ${since}, until ${until ?? 'it is lifted'}`;

const keptText = ({ name, override }: AgentView): string =>
  override === undefined
    ? `${name} is kept no longer`
    : `${name} is kept ${override.state} until ${override.until ?? 'that is lifted'}`;

function routesText(lines: readonly RouteLine[]): string {
  if (lines.length === 0) return 'There are no routes.';
  const rows = lines.map((one) => [one.hostname, one.agent, one.kind, one.target ?? '-', one.expires_at ?? '-']);
  return table(['HOSTNAME', 'AGENT', 'KIND', 'TARGET', 'EXPIRES AT'], rows);
}

function reloadText(view: ReloadView): string {
  const parts = (['added', 'removed', 'changed'] as const).flatMap((key) =>
    view[key].length === 0 ? [] : [`${key}: ${view[key].join(', ')}`],
  );
  const pending = view.restart_needed.length === 0 ? [] : [`at the next start: ${view.restart_needed.join(', ')}`];
  return [...(parts.length + pending.length === 0 ? ['no agent has changed'] : parts), ...pending].map(printable).join('\n');
}
