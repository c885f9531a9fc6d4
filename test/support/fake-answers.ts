import type { Clock } from '../../src/ports/clock.ts';
import { EngineError } from '../../src/ports/engine.ts';
import { after, millisOf } from '../../src/std/time.ts';
import type { CallName } from './fake-agent.ts';

interface Scripted {
  readonly error: EngineError;
  readonly afterMs: number;
}

/** As long as an engine lets one of its calls take. */
const LIMIT_MS = 10_000;

/** How the calls of the fake engine are answered: after a while, and with a failure where a test has scripted one. */
export class FakeAnswers {
  private readonly clock: Clock;
  private readonly scripted = new Map<CallName, Scripted[]>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The next call of this name rejects, before it changes anything; several are used up in order. */
  fail(call: CallName, code: EngineError['code'], detail: string): void {
    this.script(call, { error: new EngineError(code, detail), afterMs: 0 });
  }

  /** The next call of this name is not answered, changes nothing, and is given up at the engine's own limit. */
  hang(call: CallName): void {
    this.script(call, { error: new EngineError('unavailable', `no answer to ${call}`), afterMs: LIMIT_MS });
  }

  /** Settles as the next call of this name does, which takes `ms` where nothing is scripted. */
  async next(call: CallName, ms: number): Promise<void> {
    const failure = this.scripted.get(call)?.shift();
    await this.pass(Math.max(ms, failure?.afterMs ?? 0));
    if (failure !== undefined) throw failure.error;
  }

  /** Resolves so much later; with 0 at once. */
  async pass(ms: number): Promise<void> {
    if (ms > 0) await new Promise<void>((resolve) => void this.clock.alarm(after(this.clock.now(), millisOf(ms)), resolve));
  }

  private script(call: CallName, scripted: Scripted): void {
    this.scripted.set(call, [...(this.scripted.get(call) ?? []), scripted]);
  }
}
