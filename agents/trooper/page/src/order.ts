import type { ReplicaView } from '../../../world/views.ts';

/**
 * In which order tiles stand: who manages first, since its score is not shown, then by score, then by slot. While somebody points at them or is among them by keyboard they keep
 * the places they had (`held`, task ids), because a button that has moved away under the finger destroys the wrong trooper.
 */
export function arrange(replicas: readonly ReplicaView[], held: readonly string[] | null): readonly ReplicaView[] {
  const sorted = replicas.toSorted(
    (one, other) => Number(other.is_manager) - Number(one.is_manager) || other.score - one.score || one.slot - other.slot,
  );
  if (held === null) return sorted;
  const place = (replica: ReplicaView): number => {
    const index = held.indexOf(replica.id);
    return index === -1 ? held.length : index;
  };
  return sorted.toSorted((one, other) => place(one) - place(other));
}
