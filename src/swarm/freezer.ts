import { EngineError } from '../ports/engine.ts';
import type { Log } from '../ports/log.ts';
import { assert } from '../std/assert.ts';
import { ApiFailure } from './api-failure.ts';
import type { ApiContainer, ApiTask } from './api.ts';
import type { DockerApi } from './docker-api.ts';
import type { Paused } from './listings.ts';
import type { Memory } from './memory.ts';
import type { OrderQueue } from './order-queue.ts';
import { type RemoteService, containerOf } from './remote-service.ts';
import { type Knowledge, hasStarted, isEntered, liveIn } from './sighting.ts';

/**
 * Freezes a service by pausing its containers, which is no order to Swarm: it goes to the engine of their node, and we speak to
 * one engine only. Swarm takes no notice, and counts a paused task as one that runs. Freezing looks first and takes the time it
 * needs; somebody waits for a thaw, so it goes by what is known already.
 */
export interface FreezerGround {
  readonly api: DockerApi;
  readonly log: Log;
  /** The node whose engine we speak to; null until it is known. */
  readonly ownNode: () => string | null;
  readonly queue: OrderQueue;
  readonly remote: RemoteService;
  readonly memory: Memory;
  readonly knowledge: () => Knowledge;
  /** As they were listed last; null: not yet. */
  readonly tasks: () => readonly ApiTask[] | null;
  /** Some containers were told to stop or to go on; what came of it is to be looked at. */
  readonly tried: () => void;
}

type Change = 'pause' | 'unpause';

/**
 * What the engine says where there is nothing to do: the container is as it should be, or has ended, or was made and has not
 * started. 20.10 answers 409 to a pause and 500 to an unpause; later versions may change the number.
 */
const NOTHING_TO_DO: Readonly<Record<Change, RegExp>> = {
  pause: /is already paused|is not running/i,
  unpause: /is not paused|is not running/i,
};

export class Freezer {
  private readonly ground: FreezerGround;

  constructor(ground: FreezerGround) {
    this.ground = ground;
  }

  freeze(): Promise<void> {
    const { queue, remote, memory, knowledge } = this.ground;
    return queue.add(async () => {
      // Asked although it is known: where a socket proxy does not answer it, a later daemon could not find what is frozen.
      const [service] = await Promise.all([remote.find(), remote.paused()]);
      if (service === null) return;
      const known = knowledge();
      const running = liveIn(await remote.tasks(service), known).filter((task) => hasStarted(task, known));
      const away = running.find((task) => !this.isHere(task));
      if (away !== undefined)
        throw new EngineError('task-elsewhere', `task ${away.ID} of ${known.workload.agent} has no container on this node`);
      const [failure] = await this.change('pause', running.map(containerOf));
      if (failure !== undefined) {
        await this.takeBack(running);
        throw refusal(failure);
      }
      for (const task of running) memory.frozen.set(task.ID, containerOf(task));
    });
  }

  thaw(): Promise<void> {
    const { queue, memory } = this.ground;
    return queue.add(async () => {
      const here = (await this.listed()).filter((task) => this.isHere(task)).map(containerOf);
      const [failure] = await this.change('unpause', [...new Set([...memory.frozen.values(), ...here])]);
      if (failure !== undefined) throw refusal(failure);
      memory.frozen.clear();
    });
  }

  /** Of these tasks. Each container is asked for by itself, which waits for a pause of it that is under way. */
  async pausedAmong(tasks: readonly ApiTask[]): Promise<Paused> {
    const here = tasks.filter((task) => this.isHere(task) && !isEntered(task));
    const answers = await Promise.all(here.map((task) => this.isPaused(containerOf(task))));
    return new Map(here.filter((_, index) => answers[index] === true).map((task) => [task.ID, containerOf(task)]));
  }

  private async isPaused(id: string): Promise<boolean> {
    try {
      const { State: state } = await this.ground.api.call<ApiContainer>('container', { id });
      return state?.Paused === true;
    } catch (error) {
      // A socket proxy may forbid it: then nothing was frozen by a daemon behind it either.
      if (error instanceof ApiFailure && (error.kind === 'missing' || error.kind === 'refused')) return false;
      throw error;
    }
  }

  /** Those that were frozen before go on too: all or none. */
  private async takeBack(tasks: readonly ApiTask[]): Promise<void> {
    const { log, memory, knowledge } = this.ground;
    const left = await this.change('unpause', tasks.map(containerOf));
    // It is known by the next look, which follows every order, what they are now.
    if (left.length === 0) for (const { ID } of tasks) memory.frozen.delete(ID);
    else log.error('container may have stayed frozen', { agent: knowledge().workload.agent, detail: left[0]?.message ?? '' });
  }

  /** At once, each by itself; resolves with what failed. */
  private async change(change: Change, containers: readonly string[]): Promise<readonly ApiFailure[]> {
    const answers = await Promise.all(containers.map((id) => this.changeOne(change, id)));
    this.ground.tried();
    return answers.filter((failure) => failure !== null);
  }

  private async changeOne(change: Change, id: string): Promise<ApiFailure | null> {
    try {
      await this.ground.api.call(change, { id });
      return null;
    } catch (error) {
      assert(error instanceof ApiFailure, 'a call fails with an ApiFailure');
      return error.kind === 'missing' || NOTHING_TO_DO[change].test(error.message) ? null : error;
    }
  }

  private async listed(): Promise<readonly ApiTask[]> {
    const { tasks, remote, knowledge } = this.ground;
    const known = tasks();
    if (known !== null) return liveIn(known, knowledge());
    const service = await remote.find();
    return service === null ? [] : liveIn(await remote.tasks(service), knowledge());
  }

  private isHere(task: ApiTask): boolean {
    return task.NodeID === this.ground.ownNode() && containerOf(task) !== '';
  }
}

/** One container that does not freeze does not mean that the engine is away; if it is, the end of its events says so. */
const refusal = (failure: ApiFailure): Error =>
  failure.kind === 'away' ? new EngineError('unavailable', failure.message) : failure;
