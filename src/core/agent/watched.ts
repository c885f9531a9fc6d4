import { unreachable } from '../../std/assert.ts';
import { type Instant, after } from '../../std/time.ts';
import { type AgentEffect, type AgentEvent, type Step, whyNot } from './event.ts';
import { allIll, announce, healthSaid } from './moves.ts';
import type { Policy } from './policy.ts';
import type { AgentProblem, Running, RunningDegraded, WatchedState } from './state.ts';
import { type Tasks, canBeChecked, mergeTasks, recordCheck, servesTraffic } from './tasks.ts';

/** Agents that are never ours to start or stop. Requests always go through; health only decides what we say about them. */
export type WatchedStep = Step<WatchedState>;

export const running = (policy: 'always-on' | 'unmanaged', now: Instant, rules: Policy): Running => ({
  policy,
  name: 'running',
  since: now,
  deadline: policy === 'always-on' ? after(now, rules.startupTimeout) : null,
  whyNot: null,
  tasks: [],
});

const stay = (state: WatchedState, ...effects: readonly AgentEffect[]): WatchedStep => ({ state, effects });

export function fromRunning(state: Running, event: AgentEvent, now: Instant, policy: Policy): WatchedStep {
  if (state.policy === 'unmanaged') return stay(state);
  switch (event.type) {
    case 'observed': {
      const tasks = mergeTasks(state.tasks, event.tasks);
      const had = state.tasks.some(canBeChecked);
      // Nobody has to wait for startup_timeout to be told what is known.
      if (event.obstacle !== null && !tasks.some(servesTraffic)) return degrade(tasks, inTheWay(event.obstacle), now);
      if (!had || tasks.some(canBeChecked)) return stay({ ...state, tasks, whyNot: whyNot(event, state.whyNot) });
      return degrade(tasks, { code: 'exited', detail: event.lastExit ?? 'its last task ended' }, now);
    }
    case 'probed': {
      const tasks = recordCheck(state.tasks, event.task, event.healthy, policy.maxFailures);
      const said = healthSaid(tasks, event);
      if (allIll(tasks)) {
        const step = degrade(tasks, { code: 'health-failed', detail: event.detail }, now);
        return { ...step, effects: [...said, ...step.effects] };
      }
      return stay({ ...state, tasks, deadline: tasks.some(servesTraffic) ? null : state.deadline }, ...said);
    }
    case 'due':
      if (state.deadline === null || now < state.deadline) return stay(state);
      return degrade(state.tasks, { code: 'startup-timeout', detail: timeoutDetail(state) }, now);
    case 'wanted':
    case 'busy':
    case 'quiet':
    case 'sleep-ordered':
    case 'order-failed':
    case 'lingers':
    case 'evict':
    case 'placed':
    case 'unwanted':
    case 'froze':
    case 'thawed':
      return stay(state);
    default:
      return unreachable(event);
  }
}

export function fromRunningDegraded(state: RunningDegraded, event: AgentEvent, now: Instant, policy: Policy): WatchedStep {
  switch (event.type) {
    case 'observed': {
      const next = { ...state, tasks: mergeTasks(state.tasks, event.tasks) };
      if (event.obstacle !== null) return stay({ ...next, problem: inTheWay(event.obstacle) });
      // What stood in the way is gone; what is left is that nobody is well yet.
      return stay(state.problem.code === 'start-failed' ? { ...next, problem: ILL } : next);
    }
    case 'probed': {
      const tasks = recordCheck(state.tasks, event.task, event.healthy, policy.maxFailures);
      if (!tasks.some(servesTraffic)) return stay({ ...state, tasks });
      return {
        state: { policy: 'always-on', name: 'running', since: now, deadline: null, whyNot: null, tasks },
        effects: [announce({ type: 'agent.recovered', from: 'degraded', to: 'running' })],
      };
    }
    case 'due':
    case 'wanted':
    case 'busy':
    case 'quiet':
    case 'sleep-ordered':
    case 'order-failed':
    case 'lingers':
    case 'evict':
    case 'placed':
    case 'unwanted':
    case 'froze':
    case 'thawed':
      return stay(state);
    default:
      return unreachable(event);
  }
}

const ILL: AgentProblem = { code: 'health-failed', detail: 'no task has passed its health check yet' };

const inTheWay = (obstacle: string): AgentProblem => ({ code: 'start-failed', detail: obstacle });

function timeoutDetail({ tasks, whyNot: because }: Running): string {
  const what = tasks.some(canBeChecked) ? 'no task passed its health check' : 'no task came to run';
  return because === null ? what : `${what}: ${because}`;
}

function degrade(tasks: Tasks, problem: AgentProblem, now: Instant): WatchedStep {
  return {
    state: { policy: 'always-on', name: 'degraded', since: now, tasks, problem },
    effects: [announce({ type: 'agent.degraded', from: 'running', to: 'degraded', facts: { problem: problem.code } })],
  };
}
