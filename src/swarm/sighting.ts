import type { Address, Observation, Task, Workload } from '../ports/engine.ts';
import { parseRfc3339, wallTimeOf } from '../std/time.ts';
import type { ApiNode, ApiService, ApiTask } from './api.ts';
import { type Reach, addressOn, obstacleOf } from './reach.ts';
import { neverRestarts, replicasOf } from './spec.ts';

/**
 * A service and its tasks, as Swarm lists them, put into the words of the port. Pure: the same listing and the same knowledge
 * of it give the same observation.
 *
 * Swarm keeps tasks that have ended and never says which of them it has given up. It follows from the order in which things
 * were written: an update of a service makes Swarm fill up what is missing, so a task whose end was entered after the last
 * update, and in whose slot there is no other, is not going to be replaced. Comparing clocks of nodes was rejected.
 */
export interface Listing {
  readonly service: ApiService;
  readonly tasks: readonly ApiTask[];
}

/** What the listing does not say, or not yet. */
export interface Knowledge {
  readonly workload: Workload & { readonly swarm: NonNullable<Workload['swarm']> };
  readonly reach: Reach;
  readonly nodes: ReadonlyMap<string, ApiNode>;
  /** The node whose engine we speak to; null until it is known. */
  readonly ownNode: string | null;
  /** Tasks whose container has started: known from its event 55 ms before Swarm enters it as running. */
  readonly started: ReadonlySet<string>;
  /** Tasks whose container has ended, which Swarm may list as running for a while yet, by their exit code and what else is known. */
  readonly died: ReadonlyMap<string, string>;
  /** Tasks whose container is paused. */
  readonly frozen: ReadonlySet<string>;
  /** Tasks that we ended. */
  readonly victims: ReadonlySet<string>;
}

export interface Sighting {
  readonly observation: Observation;
  /** Something is on its way that no event may tell of. */
  readonly unsettled: boolean;
  /** Tasks run on other nodes, whose events never reach us. */
  readonly elsewhere: boolean;
}

const OVER = new Set(['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned']);
const BY_ITSELF = new Set(['complete', 'failed', 'rejected', 'orphaned']);
const LEAVING = new Set(['shutdown', 'remove']);

/** Swarm has entered that it is over. */
export const isEntered = (task: ApiTask): boolean => OVER.has(stateOf(task));
export const isToldToEnd = (task: ApiTask): boolean => LEAVING.has(task.DesiredState ?? 'running');

const stateOf = (task: ApiTask): string => task.Status?.State ?? 'new';
const indexOf = ({ Version }: ApiTask | ApiService): number => Version?.Index ?? 0;

/**
 * It keeps its slot for as long as it is listed, and an order to fill that would be lost: because it is about to be taken off
 * the list, and under the restart policy `none` also before its end is entered.
 */
export function keepsSlot(task: ApiTask, { Spec: spec }: ApiService): boolean {
  return task.DesiredState === 'remove' && (isEntered(task) || neverRestarts(spec ?? {}));
}

/** Its container runs, or has run. One that was frozen at once is so before Swarm has entered that it runs. */
export const hasStarted = (task: ApiTask, { started, frozen }: Knowledge): boolean =>
  stateOf(task) === 'running' || started.has(task.ID) || frozen.has(task.ID);

/** Its container has ended, or never will have one. */
export const hasEnded = (task: ApiTask, { died }: Knowledge): boolean => isEntered(task) || died.has(task.ID);

/**
 * Nothing of it runs any more, as far as anybody can know, and it is settled what follows: until Swarm has told it to end nobody
 * could say whether another one comes. The end of its container is believed at once. Swarm may be waiting to stop what has
 * ended long ago, and enter it three seconds later.
 */
export function isOver(task: ApiTask, knowledge: Knowledge): boolean {
  if (!isToldToEnd(task)) return false;
  if (knowledge.died.has(task.ID) || isOnDeadNode(task, knowledge)) return true;
  return isEntered(task) && task.DesiredState !== 'remove';
}

/** The end of a task on a node that is down is never entered. Swarm has given the node up, and so do we. */
const isOnDeadNode = ({ NodeID: node = '' }: ApiTask, { nodes }: Knowledge): boolean => nodes.get(node)?.Status?.State === 'down';

/** Swarm has entered that it ended without having been told to. */
export function endedByItself(task: ApiTask, { victims }: Knowledge): boolean {
  return BY_ITSELF.has(stateOf(task)) && task.DesiredState !== 'remove' && !victims.has(task.ID);
}

/** Tasks that are here to stay, in the order of their slots. */
export function liveIn(tasks: readonly ApiTask[], knowledge: Knowledge): ApiTask[] {
  const stays = (task: ApiTask): boolean => !isToldToEnd(task) && !hasEnded(task, knowledge) && !knowledge.victims.has(task.ID);
  return tasks.filter(stays).sort((a, b) => (a.Slot ?? 0) - (b.Slot ?? 0));
}

export function sightingOf(listing: Listing, knowledge: Knowledge): Sighting {
  const { service, tasks } = listing;
  const { workload } = knowledge;
  const obstacle = obstacleOf(service, workload, knowledge.reach);
  const replicas = replicasOf(service.Spec ?? {});
  // What cannot be put to sleep is not woken either: served until it is idle, it would be neither from then on.
  if (obstacle !== null && workload.policy === 'on-demand' && replicas === null) return nothingBut(obstacle);
  const present = tasks.filter((task) => !isOver(task, knowledge));
  const live = liveIn(tasks, knowledge);
  const wanted = replicas ?? live.length;
  const lost = tasks.filter((task) => isLost(task, indexOf(service), knowledge));
  const shown = present.map((task) => shownTask(task, live.includes(task), knowledge)).sort((a, b) => a.slot - b.slot);
  const starting = shown.some((task) => task.state === 'starting');
  const converging = starting || wanted - emptySlots(lost, live) > live.length;
  return {
    observation: {
      wanted,
      tasks: shown,
      converging,
      lastExit: lastExit(lost, knowledge) ?? waitingFor(live),
      ...(obstacle === null ? {} : { obstacle }),
    },
    // More than are wanted: Swarm has yet to say which of them go.
    unsettled: converging || isRolling(service) || live.length > wanted || shown.some((task) => task.state === 'ending'),
    elsewhere: present.some(({ NodeID }) => NodeID !== knowledge.ownNode),
  };
}

/** Nothing of it is there for us, and this is why. */
export function nothingBut(obstacle: string): Sighting {
  const observation = { wanted: 0, tasks: [], converging: false, lastExit: null, obstacle };
  return { observation, unsettled: false, elsewhere: false };
}

/** Swarm is about to replace tasks, one after the other, and tells nobody which is next. */
const isRolling = ({ UpdateStatus: update }: ApiService): boolean =>
  update?.State === 'updating' || update?.State === 'rollback_started';

/** Nothing may be started beside what a service of the same name has left (predecessors.ts), until it has ended. */
export function beside(left: readonly ApiTask[], sighting: Sighting, knowledge: Knowledge): Sighting {
  const present = left.filter((task) => !hasEnded(task, knowledge) && !isOnDeadNode(task, knowledge));
  if (present.length === 0) return sighting;
  const ending = present.map((task) => shownTask(task, false, knowledge));
  return {
    ...sighting,
    observation: { ...sighting.observation, tasks: [...sighting.observation.tasks, ...ending] },
    unsettled: true,
  };
}

/** Ended by itself since the last update of the service. */
function isLost(task: ApiTask, serviceIndex: number, knowledge: Knowledge): boolean {
  return endedByItself(task, knowledge) && indexOf(task) > serviceIndex;
}

/**
 * How many slots Swarm leaves empty, because its restart policy wants no other task there. It counts them as filled: only a
 * smaller number of replicas makes it forget them.
 */
export function slotsLeftEmpty({ service, tasks }: Listing, knowledge: Knowledge): number {
  const ended = tasks.filter((task) => isEntered(task) && indexOf(task) > indexOf(service));
  return emptySlots(ended, liveIn(tasks, knowledge));
}

/** A crash leaves one ended task after the other in the same slot, so slots are counted. */
function emptySlots(ended: readonly ApiTask[], live: readonly ApiTask[]): number {
  const filled = new Set(live.map(({ Slot }) => Slot));
  const empty = ended.filter((task) => task.DesiredState === 'shutdown' && !filled.has(task.Slot));
  return new Set(empty.map(({ Slot }) => Slot)).size;
}

function shownTask(task: ApiTask, live: boolean, knowledge: Knowledge): Task {
  const { workload, reach, nodes, frozen } = knowledge;
  const node = nodes.get(task.NodeID ?? '');
  const own = addressOn(reach, task);
  const address: Address | null =
    workload.swarm.host !== null
      ? { host: workload.swarm.host, port: workload.swarm.port }
      : own === null
        ? null
        : { host: own, port: workload.swarm.port };
  return {
    id: task.ID,
    slot: task.Slot ?? 1,
    name: `${workload.agent}.${String(task.Slot ?? 1)}`,
    node: node?.Description?.Hostname ?? task.NodeID ?? '',
    state: !live ? 'ending' : hasStarted(task, knowledge) && address !== null ? 'running' : 'starting',
    address,
    startedAt: parseRfc3339(task.CreatedAt ?? '') ?? wallTimeOf(0),
    ...(own === null ? {} : { source: own }),
    onLeader: node?.ManagerStatus?.Leader ?? false,
    frozen: frozen.has(task.ID),
  };
}

function lastExit(lost: readonly ApiTask[], knowledge: Knowledge): string | null {
  const last = lost.reduce<ApiTask | null>((a, b) => (a === null || indexOf(b) > indexOf(a) ? b : a), null);
  return last === null ? null : exitOf(last, knowledge);
}

function exitOf(task: ApiTask, { died }: Knowledge): string {
  const { Err: said = '', ContainerStatus: container } = task.Status ?? {};
  if (stateOf(task) === 'rejected') return said === '' ? 'its node refused it' : said;
  if (stateOf(task) === 'orphaned') return 'its node is gone';
  const code = died.get(task.ID) ?? String(container?.ExitCode ?? 0);
  // Swarm says again what the code says; anything else is worth reading, as `No such container` is.
  return said === '' || said.startsWith('task: non-zero exit') ? `exit code ${code}` : `exit code ${code}: ${said}`;
}

/** Why a task that is wanted finds no place, such as `no suitable node (insufficient resources on 1 node)`. */
function waitingFor(live: readonly ApiTask[]): string | null {
  return live.map(({ Status }) => Status?.Err ?? '').find((said) => said !== '') ?? null;
}
