import { describe, expect, it } from 'vitest';
import type { TaskView } from '../../../src/contract/api.ts';
import { managerOf } from '../../../agents/trooper/who-manages.ts';

const task = (slot: number, facts: Partial<TaskView> = {}): TaskView => ({
  id: `task-${slot}`,
  slot,
  name: `world.${slot}`,
  node: 'node',
  state: 'running',
  address: null,
  started_at: '2026-01-01T00:00:00Z',
  on_leader: true,
  ...facts,
});
const slotOf = (tasks: readonly TaskView[], override: number | null, seated: readonly number[]): number | null =>
  managerOf(tasks, override, ({ slot }) => seated.includes(slot))?.slot ?? null;

describe('who manages', () => {
  const three = [task(3), task(1), task(2)];

  it('the lowest slot on the leader’s node, unless an override names one that runs', () => {
    expect(slotOf(three, null, [1, 2, 3])).toBe(1);
    expect(slotOf([task(1, { on_leader: false }), task(2)], null, [1, 2])).toBe(2);
    expect(slotOf([task(1, { on_leader: false }), task(2, { on_leader: false })], null, [1, 2])).toBe(1);
    expect(slotOf(three, 3, [1, 2, 3])).toBe(3);
    expect(slotOf([task(1), task(2, { state: 'starting' })], 2, [1, 2])).toBe(1);
    expect(slotOf([task(1, { state: 'ending' }), task(2)], 1, [1, 2])).toBe(2);
    expect(slotOf([], null, [])).toBeNull();
  });

  it('a task that has not taken its seat yet manages only where nobody has', () => {
    expect(slotOf(three, null, [2, 3])).toBe(2);
    expect(slotOf(three, 1, [3])).toBe(3);
    expect(slotOf(three, null, [])).toBe(1);
  });
});
