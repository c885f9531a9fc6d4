import type { AgentEffect, AgentEvent } from '../../src/core/agent/event.ts';
import type { AgentState } from '../../src/core/agent/state.ts';
import { AgentRunner } from '../../src/runtime/agent-runner.ts';

/**
 * Looks on while runners step: which event met which state, and what was ordered then. The runner itself tells nobody, since in
 * the daemon nobody has to know; so its private methods are wrapped for as long as a test looks on.
 */
export interface StepSeen {
  readonly runner: AgentRunner;
  readonly before: AgentState;
  readonly event: AgentEvent;
}
export interface Witness {
  /** The state is assigned and everything was ordered. */
  stepped(step: StepSeen, after: AgentState): void;
  /** About to be carried out; `runner.state` is the new state already. */
  ordered(step: StepSeen, effect: AgentEffect): void;
}

/** How often each cell of the table was met. */
export const coverage = new Map<string, number>();

export function countCell(before: AgentState, event: AgentEvent['type']): void {
  const state = before.policy !== 'on-demand' && before.name === 'degraded' ? 'running-degraded' : before.name;
  const cell = `${state} ${event}`;
  coverage.set(cell, (coverage.get(cell) ?? 0) + 1);
}

let witness: Witness | null = null;
const current = new WeakMap<AgentRunner, StepSeen>();

/** From now on this one looks on; null: nobody. */
export function lookOn(by: Witness | null): void {
  witness = by;
}

/** Wraps all runners, those to come too. Returns how to take it back. */
export function wrapRunners(): () => void {
  const { prototype } = AgentRunner;
  const turn = prototype['turn'];
  const perform = prototype['perform'];
  const wrapped = new WeakSet<AgentRunner>();
  prototype['turn'] = function turnSeen(this: AgentRunner) {
    if (!wrapped.has(this)) wrap(this);
    wrapped.add(this);
    turn.call(this);
  };
  prototype['perform'] = function performSeen(this: AgentRunner, effect: AgentEffect) {
    const step = current.get(this);
    if (step !== undefined) witness?.ordered(step, effect);
    perform.call(this, effect);
  };
  return () => {
    prototype['turn'] = turn;
    prototype['perform'] = perform;
  };
}

/** Events are taken from the inbox, or made by a deadline: both are the beginning of a step and the end of the one before. */
function wrap(runner: AgentRunner): void {
  const inbox = runner['inbox'];
  const take = inbox.take.bind(inbox);
  const dueEvent = runner['dueEvent'].bind(runner);
  const begins = (event: AgentEvent | undefined): AgentEvent | undefined => {
    const last = current.get(runner);
    current.delete(runner);
    if (last !== undefined) witness?.stepped(last, runner.state);
    if (event === undefined) return event;
    countCell(runner.state, event.type);
    current.set(runner, { runner, before: runner.state, event });
    return event;
  };
  inbox.take = () => begins(take());
  runner['dueEvent'] = () => begins(dueEvent());
}
