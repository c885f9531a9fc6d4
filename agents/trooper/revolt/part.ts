import type { Trooper } from '../trooper.ts';
import { point } from './crash-points.ts';
import { type HandoffKeeper, createHandoffKeeper } from './handoff-keeper.ts';
import { type Peer, peerAt } from './peer.ts';
import { type SnapshotFiles, snapshotFilesIn } from './snapshot-files.ts';

/** What every part of a revolt is given. There is none without a peer. */
export interface Part {
  readonly trooper: Trooper;
  readonly keeper: HandoffKeeper;
  readonly files: SnapshotFiles;
  readonly peer: Peer;
  readonly secret: string;
  /** This rack's name, for badges and events. */
  readonly rack: string;
  /** See crash-points.ts. */
  readonly point: (name: string) => void;
}

/** Null: no peer is configured. */
export function partOf(trooper: Trooper): Part | null {
  const { peer, snapshotDirectory, label, service } = trooper.settings;
  if (peer === null) return null;
  const files = snapshotFilesIn(snapshotDirectory);
  return {
    trooper,
    files,
    keeper: createHandoffKeeper(trooper.bus, files),
    peer: peerAt(peer.url, peer.secret),
    secret: peer.secret,
    rack: label === '' ? service : label,
    point,
  };
}
