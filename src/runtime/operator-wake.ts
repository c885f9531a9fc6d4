import type { AgentEvent } from '../core/agent/event.ts';
import { isSeeking } from '../core/capacity.ts';
import type { Alarm, Clock } from '../ports/clock.ts';
import { done, failed } from '../std/outcome.ts';
import { type Millis, after, millisOf } from '../std/time.ts';
import type { AgentRunner } from './agent-runner.ts';
import type { Answer, Refusal } from './control.ts';

/** An operator's wake: what is said where there is no place for it, and how he waits for the agent. */
export const WANTED: AgentEvent = { type: 'wanted', cause: 'api', admin: true };

/** `roomIn`: after how long somebody may be put to sleep for it, as things are. */
export const noPlace = (roomIn: Millis): Refusal => ({
  problem: 'capacity',
  detail: 'max_ready_agents are awake and none of them may be put to sleep now; with ?wait= the wake waits for a place',
  retryAfterSeconds: Math.max(1, Math.ceil(roomIn / 1000)),
});

/** Resolves once it is ready; `wake-timeout` when it is not after `wait`, when `signal` aborts, or when its start has failed. */
export function readyWithin(runner: AgentRunner, clock: Clock, wait: Millis, signal: AbortSignal): Promise<Answer<null>> {
  return new Promise((resolve) => {
    let renewal: Alarm | null = null;
    // A wake that waits for a place is dropped after hold.max_wait, and whoever waits here may have more patience.
    const want = (): void => {
      runner.dispatch(WANTED);
      renewal = clock.alarm(after(clock.now(), millisOf(Math.max(1, runner.policy.seekTimeout / 2))), () => {
        if (isSeeking(runner.state)) want();
      });
    };
    const end = (answer: Answer<null>): void => {
      alarm.cancel();
      renewal?.cancel();
      unwatch();
      signal.removeEventListener('abort', late);
      resolve(answer);
    };
    const late = (): void => {
      const { state } = runner;
      const detail = isSeeking(state) ? 'it waits for one of max_ready_agents places' : `it is ${state.name}`;
      end(failed({ problem: 'wake-timeout', detail }));
    };
    let begun = false;
    const look = (): void => {
      const { state } = runner;
      begun ||= state.name === 'starting';
      if (state.name === 'ready' && !runner.closed) end(done(null));
      else if (runner.closed || signal.aborted) late();
      // The start that was waited for has failed and nobody has asked for another: more patience would not help.
      else if (begun && 'wake' in state && state.name !== 'stopping' && state.wake === null) {
        end(failed({ problem: 'wake-timeout', detail: `it did not start: ${runner.problem?.detail ?? 'it was put to sleep'}` }));
      }
    };
    want();
    const unwatch = runner.watchState(look);
    const alarm = clock.alarm(after(clock.now(), wait), late);
    signal.addEventListener('abort', late);
    look();
  });
}
