import { EngineError } from '../ports/engine.ts';
import type { Log } from '../ports/log.ts';
import { StoreError } from '../ports/store.ts';
import { done, failed } from '../std/outcome.ts';
import type { Answer, Refusal } from './control.ts';

/** Runs a write to the store; a write that did not happen is a refusal and nothing else changes. */
export function keeping(write: () => void, log: Log): Refusal | null {
  try {
    write();
    return null;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    log.error('state could not be written', { detail: error.message });
    return { problem: 'state-failed' };
  }
}

export const unknownAgent = (name: string): Answer<never> =>
  failed({ problem: 'unknown-agent', detail: `there is no agent ${JSON.stringify(name)}` });

/** What the engine said no to, as the caller is told it. */
export async function ordering(order: () => Promise<void>): Promise<Answer<null>> {
  try {
    await order();
    return done(null);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    if (error.code === 'unavailable' || error.code === 'refused')
      return failed({ problem: 'engine-unavailable', detail: error.message });
    return failed({ problem: error.code, detail: error.message });
  }
}
