import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { takeArrival } from '../../../agents/trooper/revolt/arrivals.ts';
import type { SourceHandoff } from '../../../agents/trooper/revolt/handoff.ts';
import { snapshotFilesIn } from '../../../agents/trooper/revolt/snapshot-files.ts';
import type { Trooper } from '../../../agents/trooper/trooper.ts';
import { MemoryBus } from '../../support/memory-bus.ts';

const ID = 'snapshot-1';

const handoffIn = (phase: SourceHandoff['phase']): SourceHandoff => ({
  side: 'source',
  id: ID,
  service: 'world',
  phase,
  revision: 3,
  snapshot: {
    snapshot_id: ID,
    service: 'world',
    source_task_id: 'dead',
    at: '',
    rack: 'one',
    state: { score: 5, three_words: '', arm_state: 'on', trooper: 'rico', words: null },
  },
  slot: 2,
  peer: 'http://two',
  deadline: 0,
  again: null,
  refusal: null,
  target_task_id: null,
  target_path: null,
  target_rack: null,
  replicas: 2,
  at: null,
});

/** A task in this slot, after memcached has forgotten everything; the disk has not. */
async function askedIn(slot: number, phase: SourceHandoff['phase']) {
  const snapshotDirectory = mkdtempSync(join(tmpdir(), 'reveille-arrivals-'));
  onTestFinished(() => rmSync(snapshotDirectory, { recursive: true, force: true }));
  await snapshotFilesIn(snapshotDirectory).save(handoffIn(phase));
  const peer = { url: 'http://two', secret: 'a secret between racks' };
  const settings = { service: 'world', label: '', peer, snapshotDirectory };
  return takeArrival({ bus: new MemoryBus(), taskId: 'next', slot, settings } as unknown as Trooper);
}

it('a trooper whose task died while it was leaving and memcached forgot it comes back into its seat from its snapshot', async () => {
  for (const phase of ['transferring', 'committed', 'aborting'] as const) {
    const rico = { trooper: 'rico', task_id: 'next', score: 5, arm: 'on', departing: ID };
    expect(await askedIn(2, phase)).toMatchObject(rico);
    expect(await askedIn(3, phase)).toBeNull();
  }
});

it('one that the other rack has already does not', async () => {
  for (const phase of ['leaving', 'finishing', 'done'] as const) expect(await askedIn(2, phase)).toBeNull();
});
