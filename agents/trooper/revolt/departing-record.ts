import type { TrooperRecord } from '../../world/values.ts';
import { vacant } from '../memory.ts';
import type { Snapshot, SourceHandoff } from './handoff.ts';

/** The seat that a trooper leaves behind. Null: it is not this trooper's any more, and stays as it is. */
export function vacate(record: TrooperRecord | null, { id, snapshot }: SourceHandoff): TrooperRecord | null {
  // Forgotten by memcached. Written nevertheless, or a task that is just putting it back from the snapshot would succeed.
  if (record === null) return vacant('');
  // After a restart of memcached the task may have written back what it knew before it was told to stand still.
  const writtenBack = record.trooper === snapshot.state.trooper && record.task_id === snapshot.source_task_id;
  return record.departing === id || writtenBack ? vacant(record.task_id) : null;
}

/** What the snapshot knows of a trooper that stays; where it once came from is not in it. */
export const originless = ({ source_task_id, state }: Snapshot): TrooperRecord => ({
  trooper: state.trooper,
  task_id: source_task_id,
  score: state.score,
  words: state.words,
  arm: state.arm_state,
  last_round: null,
  from: null,
  departing: null,
});
