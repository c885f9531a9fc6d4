import type { AgentView, OverrideView, SelfView, ServiceView, TaskView } from '../contract/api.ts';
import { formatDuration } from '../contract/units.ts';
import { isSeeking } from '../core/capacity.ts';
import { sleepsAt } from '../core/agent/step.ts';
import type { Task } from '../ports/engine.ts';
import { type Instant, type WallTime, rfc3339 } from '../std/time.ts';
import type { AgentRunner } from './agent-runner.ts';
import type { Override } from './overrides.ts';
import type { Route } from './route-book.ts';

/** The shapes of contract section 5, read off the runtime. */
export function agentView(runner: AgentRunner, wall: WallTime, override: Override | null): AgentView {
  const { settings, state, activity } = runner;
  const { config } = settings;
  const { problem } = runner;
  const asleepAt = sleepTime(runner, wall);
  const busy = runner.leases.list();
  return {
    name: runner.name,
    hostname: config.hostname,
    hostnames: [...config.hostnames],
    policy: config.policy,
    backend: config.backend,
    ...(config.container === undefined ? {} : { container_name: config.container.name }),
    ...(config.health.url === null ? {} : { health_url: config.health.url }),
    ...(config.policy === 'on-demand' ? { idle_timeout: formatDuration(config.idle.timeout) } : {}),
    state: state.name,
    since: rfc3339(runner.stateSince),
    connections: activity.sockets,
    in_flight: activity.inFlight,
    held: runner.holds.size,
    last_activity: lastActivity(runner),
    ...(asleepAt === null ? {} : { sleeps_at: asleepAt }),
    replicas: replicas(runner),
    ...(isSeeking(state) ? { waits_for: 'place' as const } : {}),
    ...('attempts' in state && state.attempts > 0 ? { attempts: state.attempts } : {}),
    ...(problem === null ? {} : { problem }),
    ...(busy.length === 0
      ? {}
      : { busy: busy.map(({ task, reason, expiresAt }) => ({ task, reason, expires_at: rfc3339(expiresAt) })) }),
    ...(override === null ? {} : { override: overrideView(override) }),
  };
}

function overrideView({ state, since, until }: Override): OverrideView {
  return { state, since: rfc3339(since), ...(until === null ? {} : { until: rfc3339(until) }) };
}

export function selfView(runner: AgentRunner, wall: WallTime): SelfView {
  const { settings, state } = runner;
  return {
    agent: runner.name,
    state: state.name,
    since: rfc3339(runner.stateSince),
    woken_by: runner.wokenBy,
    last_activity: lastActivity(runner),
    sleeps_at: sleepTime(runner, wall),
    hostnames: [...settings.patterns],
    domains: [...settings.config.domains],
    replicas: replicas(runner),
    tasks: runner.tasks.map(taskView),
  };
}

export function serviceView(route: Route): ServiceView {
  return {
    hostname: route.hostname,
    target: `:${route.port}`,
    agent: route.agent,
    expires_at: route.expiresAt === null ? null : rfc3339(route.expiresAt),
  };
}

function taskView(task: Task): TaskView {
  const { address } = task;
  return {
    id: task.id,
    slot: task.slot,
    name: task.name,
    node: task.node,
    state: task.state,
    address: address === null ? null : `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`,
    started_at: rfc3339(task.startedAt),
    on_leader: task.onLeader,
  };
}

function replicas(runner: AgentRunner): { wanted: number; running: number; max: number } {
  const running = runner.tasks.filter((task) => task.state === 'running').length;
  return { wanted: runner.wanted, running, max: runner.settings.config.replicas_max };
}

function lastActivity({ lastUse }: AgentRunner): string | null {
  const { at } = lastUse;
  return at === null ? null : rfc3339(at);
}

function sleepTime(runner: AgentRunner, wall: WallTime): string | null {
  const deadline = sleepsAt(runner.state, runner.policy);
  return deadline === null ? null : rfc3339(wallOf(deadline, runner, wall));
}

/** A monotonic instant as people's time, by its distance from now. */
const wallOf = (instant: Instant, runner: AgentRunner, wall: WallTime): WallTime => (wall + (instant - runner.now())) as WallTime;
