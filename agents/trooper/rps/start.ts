import { DaemonError } from '../../kit/daemon-error.ts';
import type { Trooper } from '../trooper.ts';
import { Player, chooseByChance } from './player.ts';
import { Turns } from './turn.ts';

/** Puts a trooper to its post: it publishes rounds or plays them, for as long as the task lives. */
const AFTER_FAILURE_MS = 250;
/** How long a turn waits to learn who manages. The lease does not wait: it would be over before a silent daemon is given up. */
const ANSWER_MS = 500;

export function startRps(trooper: Trooper): void {
  const { bus, taskId, taskName, slot } = trooper;
  const { service } = trooper.settings;
  const ask = async (): Promise<boolean | null> => {
    try {
      return (await trooper.squad.manager()) === taskId;
    } catch (error) {
      // A holder goes on without the daemon, and nobody else begins. The bus is another matter: then nothing goes on.
      if (error instanceof DaemonError) return null;
      throw error;
    }
  };
  let asked: Promise<boolean | null> | null = null;
  const turns = new Turns({
    desk: { bus, taskId, taskName, service },
    player: new Player({ bus, service, slot, taskId }),
    manages: async () => {
      // A later turn waits for the same answer.
      asked ??= ask().finally(() => (asked = null));
      const late = Promise.withResolvers<null>();
      const timer = setTimeout(late.resolve, ANSWER_MS, null);
      try {
        return await Promise.race([asked, late.promise]);
      } finally {
        clearTimeout(timer);
      }
    },
    choose: chooseByChance,
    nowMs: () => performance.now(),
    wallMs: () => Date.now(),
  });
  trooper.keepDoing('rps', AFTER_FAILURE_MS, () => turns.turn());
}
