import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { Agent } from '../kit/agent.ts';
import type { Daemon } from '../kit/daemon.ts';
import { type Bus, connectBus } from '../world/bus.ts';
import { type Loop, type Turn, keepDoing } from './loop.ts';
import type { Settings } from './settings.ts';
import { type Squad, createSquad } from './squad.ts';

/** What every part of a trooper is given: who it is, and whom it can ask. */
export interface Trooper {
  readonly settings: Settings;
  readonly taskId: string;
  readonly taskName: string;
  readonly slot: number;
  readonly startedAt: Date;
  readonly bus: Bus;
  readonly squad: Squad;
  /** Null where it runs alone. */
  readonly daemon: Daemon | null;
  readonly log: FastifyBaseLogger;
  /** A loop that ends with the agent (see loop.ts). */
  keepDoing(name: string, restAfterFailureMs: number, turn: Turn): void;
}

/** Alone, without a daemon, it is the only trooper of its world: slot 1, named after its machine. */
export function createTrooper(agent: Agent, settings: Settings): Trooper {
  const bus = connectBus(settings.bus);
  const loops: Loop[] = [];
  const { task } = agent.environment;
  agent.onStop(async () => {
    await Promise.all(loops.map((loop) => loop.stop()));
    // Who ends this very task, by self-destruct or revolt, is answered by it; the answer needs the bus. The stop has a limit.
    while (agent.inFlight > 0) await pause(20);
    bus.close();
  });
  return {
    settings,
    taskId: task?.id ?? hostname(),
    taskName: task?.name ?? hostname(),
    slot: task?.slot ?? 1,
    startedAt: new Date(),
    bus,
    squad: createSquad(agent.daemon?.calls ?? null, bus, settings.service),
    daemon: agent.daemon?.calls ?? null,
    log: agent.http.log,
    keepDoing: (name, restAfterFailureMs, turn) => {
      loops.push(keepDoing(name, agent.http.log, restAfterFailureMs, turn));
    },
  };
}
