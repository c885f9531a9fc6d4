import { DaemonError } from '../../kit/daemon-error.ts';
import type { Trooper } from '../trooper.ts';
import { Player, chooseByChance } from './player.ts';
import { Turns } from './turn.ts';

/** Puts a trooper to its post: it publishes rounds or plays them, for as long as the task lives. */
const AFTER_FAILURE_MS = 250;

export function startRps(trooper: Trooper): void {
  const { bus, taskId, taskName, slot } = trooper;
  const { service } = trooper.settings;
  const turns = new Turns({
    desk: { bus, taskId, taskName, service },
    player: new Player({ bus, service, slot, taskId }),
    manages: async () => {
      try {
        return (await trooper.squad.manager()) === taskId;
      } catch (error) {
        // A holder goes on without the daemon, and nobody else begins. The bus is another matter: then nothing goes on.
        if (error instanceof DaemonError) return null;
        throw error;
      }
    },
    choose: chooseByChance,
    nowMs: () => performance.now(),
    wallMs: () => Date.now(),
  });
  trooper.keepDoing('rps', AFTER_FAILURE_MS, () => turns.turn());
}
