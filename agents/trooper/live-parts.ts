import { readArmEvents } from './arm.ts';
import { readChat } from './chat.ts';
import type { LiveParts } from './live.ts';
import { readRevoltEvents } from './revolt/revolt-events.ts';
import { readRps } from './rps/api.ts';
import { readSwarms } from './swarm.ts';
import { readHaiku } from './text/haiku.ts';
import type { Trooper } from './trooper.ts';

/** Where each part of the live stream is read. Of each list it has the end, as much as the page shows. */
const REPLICAS_MAX = 20;
const LIST_ENTRIES = 12;

export function livePartsOf(trooper: Trooper): LiveParts {
  const { bus, squad, settings } = trooper;
  const peer = settings.peer?.url ?? null;
  return {
    label: { read: async () => settings.label, absent: settings.label },
    replicas_max: { read: async () => Math.min((await squad.view()).replicas.max, REPLICAS_MAX), absent: REPLICAS_MAX },
    peer: { read: async () => peer, absent: peer },
    swarms: { read: () => readSwarms(trooper), absent: null },
    chat: { read: async () => newest(await readChat(bus)), absent: null },
    arm_events: { read: async () => newest(await readArmEvents(bus)), absent: null },
    rps: { read: () => readRps(bus), absent: null },
    haiku: { read: () => readHaiku(trooper), absent: null },
    revolt_events: { read: async () => newest(await readRevoltEvents(bus)), absent: null },
  };
}

const newest = <T>(entries: readonly T[]): T[] => entries.slice(-LIST_ENTRIES);
