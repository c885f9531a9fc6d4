import type { RegisterBody, SelfView, ServiceView } from '../contract/api.ts';
import { type Hostname, covers, parseHostname } from '../contract/hostname.ts';
import { parseDuration } from '../contract/units.ts';
import { parseTarget } from '../core/target.ts';
import type { Task } from '../ports/engine.ts';
import { done, failed } from '../std/outcome.ts';
import { type Millis, millisOf, rfc3339 } from '../std/time.ts';
import type { AgentRunner } from './agent-runner.ts';
import { selfView, serviceView } from './agent-view.ts';
import type { Answer, Caller } from './control.ts';
import { keeping, ordering, unknownAgent } from './answers.ts';
import type { ControlParts } from './control-parts.ts';

/**
 * What an agent may ask and do about itself. Agents are not trusted: a task speaks only for itself, and a route leads only to
 * the task that registered it.
 */
export class SelfService {
  private readonly parts: ControlParts;

  constructor(parts: ControlParts) {
    this.parts = parts;
  }

  self(caller: Caller): Answer<SelfView> {
    const runner = this.parts.fleet.runner(caller.agent);
    if (runner === undefined) return unknownAgent(caller.agent);
    return this.isStranger(runner, caller)
      ? failed({ problem: 'not-your-task' })
      : done(selfView(runner, this.parts.clock.wall()));
  }

  register(caller: Caller, body: RegisterBody): Answer<ServiceView> {
    const { fleet, log } = this.parts;
    const runner = fleet.runner(caller.agent);
    if (runner === undefined) return unknownAgent(caller.agent);
    const hostname = parseHostname(body.hostname);
    if (hostname === null || hostname.startsWith('[')) return failed({ problem: 'invalid-hostname' });
    const target = parseTarget(body.target);
    if (target === null) return failed({ problem: 'invalid-target' });
    const ttl = body.ttl === undefined ? null : parseDuration(body.ttl);
    if (body.ttl !== undefined && (ttl === null || ttl === 0))
      return failed({ problem: 'invalid-body', detail: 'ttl: a duration above 0 like 10m' });
    if (!runner.settings.config.domains.some((domain) => covers(domain, hostname)))
      return failed({ problem: 'hostname-not-allowed' });
    const holder = this.holder(hostname);
    if (holder !== null && holder !== caller.agent) return failed({ problem: 'hostname-taken' });
    if (fleet.configured(hostname) !== undefined)
      return failed({ problem: 'hostname-taken', detail: 'the config file gives this hostname to an agent' });
    // Before the question which task it is: an agent that sleeps has none, and that is the better answer.
    if (!isAwake(runner)) return failed({ problem: 'agent-asleep' });
    const task = this.task(runner, caller);
    if (!task.ok) return task;
    if (target.host !== null && target.host !== task.value.address?.host) return failed({ problem: 'foreign-target' });
    const { port } = target;
    if (port === null) return failed({ problem: 'invalid-target' });
    if (fleet.ports.isForeign(runner.name, port)) return failed({ problem: 'foreign-target' });
    if (!fleet.routes.hasRoomFor(runner.name, hostname)) return failed({ problem: 'route-limit' });
    const refusal = keeping(() => void fleet.routes.put({ hostname, agent: runner.name, task: task.value.id, port }, ttl), log);
    const route = fleet.routes.get(hostname);
    return refusal !== null || route === undefined ? failed(refusal ?? { problem: 'internal-error' }) : done(serviceView(route));
  }

  /** `caller` null: the operator, who may remove any. */
  unregister(caller: Caller | null, name: string): Answer<null> {
    const { fleet, log } = this.parts;
    const hostname = parseHostname(name);
    const route = hostname === null ? undefined : fleet.routes.get(hostname);
    if (route === undefined) return failed({ problem: 'unknown-service' });
    if (caller !== null && route.agent !== caller.agent) return failed({ problem: 'forbidden' });
    const refusal = keeping(() => fleet.routes.take(route.hostname, caller === null ? 'admin' : 'agent'), log);
    return refusal === null ? done(null) : failed(refusal);
  }

  async scale(caller: Caller, replicas: number): Promise<Answer<null>> {
    const runner = this.parts.fleet.runner(caller.agent);
    if (runner === undefined) return unknownAgent(caller.agent);
    if (this.isStranger(runner, caller)) return failed({ problem: 'not-your-task' });
    const max = runner.settings.config.replicas_max;
    if (!Number.isInteger(replicas) || replicas < 1 || replicas > max) {
      return failed({ problem: 'replicas-out-of-range', detail: `replicas must be 1 to ${max}` });
    }
    // Not while stopping either: the new tasks would run beside the old ones, and would hold up the sleep that was decided.
    if (!isAwake(runner)) return failed({ problem: 'agent-asleep' });
    const answer = await ordering(() => this.parts.engine.scale(runner.name, replicas));
    await runner.look();
    return answer;
  }

  async endTask(caller: Caller, taskId: string, options: { readonly replace: boolean }): Promise<Answer<null>> {
    const runner = this.parts.fleet.runner(caller.agent);
    if (runner === undefined) return unknownAgent(caller.agent);
    if (this.isStranger(runner, caller)) return failed({ problem: 'not-your-task' });
    // Looked for here first: an engine knows nothing at all of an unmanaged agent.
    if (!runner.tasks.some((task) => task.id === taskId)) return failed({ problem: 'unknown-task' });
    const answer = await ordering(() => this.parts.engine.endTask(runner.name, taskId, options));
    await runner.look();
    return answer;
  }

  takeLease(caller: Caller, ttl: Millis, reason: string): Answer<{ readonly expiresAt: string }> {
    const runner = this.parts.fleet.runner(caller.agent);
    if (runner === undefined) return unknownAgent(caller.agent);
    if (ttl <= 0) return failed({ problem: 'invalid-body', detail: 'ttl: a duration above 0' });
    if (!isAwake(runner)) return failed({ problem: 'agent-asleep' });
    const task = this.task(runner, caller);
    if (!task.ok) return task;
    // Granted shorter rather than refused: an agent that works does not know the operator's limit, and reads in the answer how
    // long it has.
    const granted = millisOf(Math.min(ttl, runner.settings.config.idle.busy_max));
    return done({ expiresAt: rfc3339(runner.leases.take(task.value.id, granted, reason).expiresAt) });
  }

  dropLease(caller: Caller): Answer<null> {
    const runner = this.parts.fleet.runner(caller.agent);
    if (runner === undefined) return unknownAgent(caller.agent);
    const task = this.task(runner, caller);
    if (!task.ok) return task;
    runner.leases.drop(task.value.id);
    return done(null);
  }

  private holder(hostname: Hostname): string | null {
    return this.parts.fleet.configured(hostname) ?? this.parts.fleet.routes.get(hostname)?.agent ?? null;
  }

  /** The caller claims to be a task that it is not. One that is ending may still ask; it has its last requests to serve. */
  private isStranger(runner: AgentRunner, { task, from, admin }: Caller): boolean {
    if (task === null) return false;
    return !runner.tasks.some(({ id, source }) => id === task && (admin || source === undefined || source === from));
  }

  /**
   * Which task speaks. By its own word, which must name a live task and, where tasks have addresses of their own, come from
   * its address; else the only one; else by the address.
   */
  private task(runner: AgentRunner, caller: Caller): Answer<Task> {
    const live = runner.tasks.filter((task) => task.state !== 'ending');
    if (caller.task !== null) {
      const named = live.find((task) => task.id === caller.task);
      return named === undefined || this.isStranger(runner, caller) ? failed({ problem: 'not-your-task' }) : done(named);
    }
    const only = live[0];
    if (only !== undefined && live.length === 1) return done(only);
    const there = caller.admin ? undefined : live.find((task) => task.source === caller.from);
    if (there !== undefined) return done(there);
    return live.length === 0 ? failed({ problem: 'agent-asleep' }) : failed({ problem: 'task-required' });
  }
}

/** From starting on, and no longer once it stops. */
const isAwake = ({ state, tasks }: AgentRunner): boolean =>
  tasks.length > 0 && ['starting', 'ready', 'frozen', 'draining', 'running', 'degraded'].includes(state.name);
