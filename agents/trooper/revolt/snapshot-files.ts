import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, readdir, rename, unlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Check } from 'typebox/value';
import { Handoff, SnapshotId, isClosed } from './handoff.ts';

/**
 * Handoffs on disk, one file each beside the snapshot as the original writes it, so that none is lost with memcached. A file
 * is written whole or not at all, and is there after a power cut once `save` has resolved.
 */
export interface SnapshotFiles {
  pathOf(id: string): string;
  /** Resolves once it is on disk; an older copy than what is there is not written. Rejects with a SnapshotFileError. */
  save(handoff: Handoff): Promise<void>;
  /** Null: there is none that can be read. */
  read(id: string): Promise<Handoff | null>;
  /** All that can be read, and at most the newest {@link FILES_MAX}; older and closed ones are removed. */
  sweep(now: number): Promise<readonly Handoff[]>;
}

export class SnapshotFileError extends Error {
  override readonly name = 'SnapshotFileError';
}

const FILES_MAX = 300;
const CLOSED_KEPT_MS = 7 * 86_400_000;
/** A closed one may still be asked for by whoever was late. */
const CLOSED_KEPT_AT_LEAST_MS = 600_000;
const FILE_BYTES_MAX = 64 * 1024;

export function snapshotFilesIn(directory: string): SnapshotFiles {
  const root = resolve(directory);
  const pathOf = (id: string): string => {
    // The id comes from clients and from the other rack; of this form it is the name of a file in this directory.
    if (!Check(SnapshotId, id)) throw new SnapshotFileError('not an id of a snapshot');
    return join(root, `${id}.json`);
  };
  const read = async (id: string): Promise<Handoff | null> => {
    try {
      const text = await readFile(pathOf(id), 'utf8');
      if (text.length > FILE_BYTES_MAX) return null;
      const { handoff } = JSON.parse(text) as { readonly handoff?: unknown };
      return Check(Handoff, handoff) && handoff.id === id ? handoff : null;
    } catch {
      return null;
    }
  };

  return {
    pathOf,
    read,
    save: async (handoff) => {
      const path = pathOf(handoff.id);
      const before = await read(handoff.id);
      if (before !== null && before.side !== handoff.side) {
        throw new SnapshotFileError('the other rack keeps its snapshots in the same directory');
      }
      if (before !== null && before.revision >= handoff.revision) return;
      try {
        await mkdir(root, { recursive: true, mode: 0o700 });
        await writeWhole(root, path, JSON.stringify(contentOf(handoff), null, 2));
      } catch (error) {
        throw new SnapshotFileError(`the snapshot cannot be written: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`);
      }
    },
    sweep: async (now) => {
      const names = await readdir(root).catch(() => []);
      const ids = names.flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -'.json'.length)] : []));
      const handoffs: Handoff[] = [];
      for (const id of ids) {
        const handoff = await read(id);
        if (handoff !== null) handoffs.push(handoff);
      }
      const closed = handoffs.filter(isClosed).toSorted((one, other) => changedAt(other) - changedAt(one));
      const room = Math.max(0, FILES_MAX - (handoffs.length - closed.length));
      const old = closed.filter((handoff, index) => {
        const age = now - changedAt(handoff);
        return age > CLOSED_KEPT_MS || (index >= room && age > CLOSED_KEPT_AT_LEAST_MS);
      });
      for (const { id } of old) await unlink(pathOf(id)).catch(() => undefined);
      return handoffs.filter((handoff) => !old.includes(handoff));
    },
  };
}

async function writeWhole(root: string, path: string, text: string): Promise<void> {
  const temporary = join(root, `.${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  // Without this the name may be gone after a power cut, and the file with it.
  const folder = await open(root, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The original's fields of either side, for those who read its files, and the handoff beside them. */
function contentOf(handoff: Handoff): unknown {
  const { snapshot } = handoff;
  if (handoff.side === 'source') return { ...snapshot, handoff };
  return {
    snapshot_id: handoff.id,
    from_task_id: snapshot?.source_task_id ?? null,
    to_task_id: handoff.target_task_id,
    service: handoff.service,
    at: snapshot?.at ?? null,
    rack: snapshot?.rack ?? null,
    state: snapshot?.state ?? null,
    handoff,
  };
}

const changedAt = (handoff: Handoff): number => handoff.at ?? (handoff.side === 'source' ? handoff.deadline : handoff.expires_at);
