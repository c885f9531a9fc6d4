import type { Bus } from '../../world/bus.ts';
import { type Handoff, type SourceHandoff, type TargetHandoff, isClosed } from './handoff.ts';
import { changeHandoff, listOpen, readHandoff } from './handoffs.ts';
import { point } from './crash-points.ts';
import type { SnapshotFiles } from './snapshot-files.ts';
import { type SourceEvent, stepSource } from './source-steps.ts';
import { type TargetEvent, stepTarget } from './target-steps.ts';

/**
 * Handoffs, each on the bus and on disk. The bus decides, by compare-and-set; the disk remembers. What a change leads to is
 * done only after the change is on disk, so that a memcached that starts anew never knows less than the other rack was told.
 *
 * Every method rejects with a BusError or a SnapshotFileError; what was to be changed may be changed then, and the call may be
 * repeated.
 */
export interface HandoffKeeper {
  /** From the bus, and from the disk where the bus has forgotten it. */
  read(id: string): Promise<Handoff | null>;
  /** Resolves to what is there then: the one that was there before, if there was one. */
  begin(handoff: Handoff): Promise<Handoff>;
  /** Resolves to what is there then; null where no such handoff of that side is. */
  tellSource(id: string, event: SourceEvent): Promise<SourceHandoff | null>;
  tellTarget(id: string, event: TargetEvent): Promise<TargetHandoff | null>;
  /** Takes up again what the disk has and the bus has not. */
  takeUp(): Promise<void>;
}

const SETTLE_ATTEMPTS_MAX = 5;

export function createHandoffKeeper(bus: Bus, files: SnapshotFiles): HandoffKeeper {
  const read = async (id: string): Promise<Handoff | null> => {
    const found = await readHandoff(bus, id);
    if (found !== null) return found;
    const remembered = await files.read(id);
    return remembered === null ? null : restore(remembered);
  };
  const restore = async (remembered: Handoff): Promise<Handoff> => {
    const there = await changeHandoff(bus, remembered.id, (handoff) => (handoff === null ? remembered : null));
    if (there !== null && !isClosed(there)) await listOpen(bus, there.id, true);
    return there ?? remembered;
  };
  /** A slower task may have written an older copy over a newer one; whoever is last looks again. */
  const settle = async (handoff: Handoff): Promise<void> => {
    let latest = handoff;
    for (let attempt = 0; attempt < SETTLE_ATTEMPTS_MAX; attempt += 1) {
      await files.save(latest);
      const now = await readHandoff(bus, handoff.id);
      if (now === null || now.revision <= latest.revision) break;
      latest = now;
    }
    // A reservation that had ended may be made anew.
    await listOpen(bus, latest.id, !isClosed(latest));
  };
  const tell = async (id: string, step: (handoff: Handoff) => Handoff): Promise<Handoff | null> => {
    if ((await read(id)) === null) return null;
    const told = await changeHandoff(bus, id, (handoff) => {
      const after = handoff === null ? null : step(handoff);
      return after === handoff ? null : after;
    });
    if (told === null) return null;
    point(`${told.side}-${told.phase}-decided`);
    await settle(told);
    point(`${told.side}-${told.phase}-kept`);
    return told;
  };

  return {
    read,
    begin: async (handoff) => {
      const there = (await changeHandoff(bus, handoff.id, (other) => (other === null ? handoff : null))) ?? handoff;
      await settle(there);
      return there;
    },
    tellSource: async (id, event) => {
      const told = await tell(id, (h) => (h.side === 'source' ? stepSource(h, event, Date.now()).handoff : h));
      return told?.side === 'source' ? told : null;
    },
    tellTarget: async (id, event) => {
      const told = await tell(id, (h) => (h.side === 'target' ? stepTarget(h, event, Date.now()).handoff : h));
      return told?.side === 'target' ? told : null;
    },
    takeUp: async () => {
      for (const remembered of await files.sweep(Date.now())) if (!isClosed(remembered)) await restore(remembered);
    },
  };
}
