import { readArmEvents } from './arm.ts';
import { readChat } from './chat.ts';
import type { LiveParts } from './live.ts';
import { readSwarms } from './swarm.ts';
import { readHaiku } from './text/haiku.ts';
import type { Trooper } from './trooper.ts';

/** Where each part of the live stream is read. Parts that this world does not have yet are never there. */
const REPLICAS_MAX = 20;
const notYet = { read: async () => null, absent: null };

export function livePartsOf(trooper: Trooper): LiveParts {
  const { bus, squad, settings } = trooper;
  const peer = settings.peer?.url ?? null;
  return {
    label: { read: async () => settings.label, absent: settings.label },
    replicas_max: { read: async () => Math.min((await squad.view()).replicas.max, REPLICAS_MAX), absent: REPLICAS_MAX },
    peer: { read: async () => peer, absent: peer },
    swarms: { read: () => readSwarms(trooper), absent: null },
    chat: { read: () => readChat(bus), absent: null },
    arm_events: { read: () => readArmEvents(bus), absent: null },
    rps: notYet,
    haiku: { read: () => readHaiku(trooper), absent: null },
    revolt_events: notYet,
  };
}
