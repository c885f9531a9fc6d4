import type { SelfView, TaskView } from '../../src/contract/api.ts';
import { colorOf, generatedName } from '../world/names.ts';
import type { TrooperRecord } from '../world/values.ts';
import type { ReplicaView, SwarmView } from '../world/views.ts';
import { bySlot, isLive } from './who-manages.ts';

/** A service as it is shown: what the daemon says of its tasks, and what is remembered of the troopers in their seats. */

/** `records` by slot. */
export function swarmOf(
  service: string,
  self: SelfView,
  manager: string | null,
  records: ReadonlyMap<number, TrooperRecord>,
): SwarmView {
  const replicas = self.tasks.filter(isLive).toSorted(bySlot);
  return {
    service,
    desired_replicas: self.replicas.wanted,
    running_count: replicas.length,
    replicas: replicas.map((task) => replicaOf(task, task.id === manager, records.get(task.slot))),
  };
}

/** A record that bears the id of another task is that task's: this one has not taken its seat yet, or has left it. */
function replicaOf(task: TaskView, isManager: boolean, record: TrooperRecord | undefined): ReplicaView {
  const own = record?.task_id === task.id ? record : undefined;
  return {
    id: task.id,
    slot: task.slot,
    state: task.state,
    node_id: task.node,
    name: generatedName(task.id),
    color: colorOf(task.id),
    is_manager: isManager,
    score: own?.score ?? 0,
    three_words: own?.words?.text ?? '',
    arm: own?.arm ?? 'off',
    from: own?.from ?? null,
  };
}
