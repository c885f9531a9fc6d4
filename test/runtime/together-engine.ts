import { unreachable } from '../../src/std/assert.ts';
import type { House } from './harness.ts';
import type { Act } from './together-acts.ts';

/** What goes wrong with the engine and with what it runs. */
export type EngineAct = Extract<
  Act['act'],
  'engine fails' | 'engine hangs' | 'task ends' | 'task is ill' | 'start fails' | 'thawed by hand' | 'news is lost'
>;

export function engineActs(
  { engine, probe }: House,
  act: EngineAct,
  { name, isKnown, n }: { readonly name: string; readonly isKnown: boolean; readonly n: number },
): void {
  switch (act) {
    case 'engine fails': {
      const call = (['scale', 'freeze', 'thaw', 'observe'] as const)[n % 4] ?? 'scale';
      engine.failNext(call, n % 3 === 0 ? 'refused' : 'unavailable');
      return;
    }
    case 'engine hangs':
      engine.hangNext((['scale', 'freeze', 'thaw'] as const)[n % 3] ?? 'scale');
      return;
    case 'task ends':
      if (isKnown && engine.truth(name).tasks.some(({ state }) => state !== 'ending'))
        engine.exit(name, 'exit code 1', n % 3 === 0 ? { converging: true } : {});
      return;
    case 'task is ill':
      probe.wellness = probe.wellness === 'well' ? 'ill' : 'well';
      return;
    case 'start fails':
      if (isKnown) engine.scriptStart(name, n % 2 === 0 ? { exits: 'exit code 2' } : { startMs: n * 8 });
      return;
    case 'thawed by hand':
      if (isKnown && engine.truth(name).tasks.some(({ frozen }) => frozen)) engine.freezeByHand(name, false);
      return;
    case 'news is lost':
      if (n % 2 === 0) engine.news.drop(1);
      else engine.news.duplicate(1);
      return;
    default:
      unreachable(act);
  }
}
