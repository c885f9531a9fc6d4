import type { CarriedState, SourceHandoff, TargetHandoff } from '../../../agents/trooper/revolt/handoff.ts';
import { type SourceEvent, type Verdict, stepSource, verdictOf } from '../../../agents/trooper/revolt/source-steps.ts';
import { type TargetEvent, reserved, stepTarget } from '../../../agents/trooper/revolt/target-steps.ts';

/**
 * Two racks without Node's world around them: each has its bus and its disk, and between them, and within each, everything
 * that is under way is a message that may be lost, doubled, or delivered late. What does a step may die before each write.
 */
export type Message =
  | { readonly to: 'target'; readonly ask: 'offer' | 'transfer' | 'accept' | 'finish' }
  | { readonly to: 'source'; readonly ask: 'verdict' }
  | { readonly to: 'source'; readonly event: SourceEvent }
  | { readonly to: 'target'; readonly event: TargetEvent }
  /** Something done on the spot by a task that may have fallen asleep before. */
  | { readonly to: 'source'; readonly act: 'mark' | 'leave' | 'release' }
  | { readonly to: 'target'; readonly act: 'seat' }
  | { readonly to: 'target'; readonly sit: { readonly slot: number; readonly taskId: string } };

const STATE: CarriedState = { score: 3, three_words: 'a b c', arm_state: 'on', trooper: 'X', words: null };
const ID = 'snapshot-1';
export const DEADLINE_MS = 18_000;

/** Thrown where a process dies. */
class Death extends Error {}

interface Side<H> {
  bus: H | null;
  disk: H | null;
}

export class TwoRacks {
  now = 0;
  messages: Message[] = [];
  readonly source: Side<SourceHandoff> = { bus: null, disk: null };
  readonly target: Side<TargetHandoff> = { bus: null, disk: null };
  home: { departing: boolean } | null = { departing: false };
  readonly away = [false, false];
  /** Which task is in each slot of the target. */
  readonly tasks = ['1.0', '2.0'];
  /** Writes until the next death; null: nobody dies. */
  private writesLeft: number | null = null;

  constructor() {
    const snapshot = { snapshot_id: ID, service: 'world', source_task_id: 't', at: '', rack: 'one', state: STATE };
    const fresh = {
      again: null,
      refusal: null,
      target_task_id: null,
      target_path: null,
      target_rack: null,
      replicas: 2,
      at: null,
    };
    this.source.bus = {
      side: 'source',
      id: ID,
      service: 'world',
      phase: 'preparing',
      revision: 0,
      snapshot,
      slot: 1,
      peer: 'two',
      deadline: DEADLINE_MS,
      ...fresh,
    };
  }

  /** Does `what`, and dies before the write with this number, if there are as many. */
  dying(writes: number | null, what: () => void): void {
    this.writesLeft = writes;
    try {
      what();
    } catch (error) {
      if (!(error instanceof Death)) throw error;
    } finally {
      this.writesLeft = null;
    }
  }

  tickSource(): void {
    const told = this.tellSource({ type: 'tick' });
    if (told === null) return;
    for (const effect of stepSource(told, { type: 'tick' }, this.now).effects) {
      if (effect === 'mark' || effect === 'leave' || effect === 'release') this.send({ to: 'source', act: effect });
      else this.send({ to: 'target', ask: effect });
    }
  }

  tickTarget(): void {
    const told = this.tellTarget({ type: 'tick' });
    if (told === null) return;
    for (const effect of stepTarget(told, { type: 'tick' }, this.now).effects) {
      this.send(effect === 'ask' ? { to: 'source', ask: 'verdict' } : { to: 'target', act: 'seat' });
    }
  }

  /** A task of the target looks for whom to seat. */
  take(slot: number): void {
    const taskId = this.tasks[slot]!;
    if (this.away.includes(true) || this.target.bus?.has_room !== true) return;
    const told = this.tellTarget({ type: 'taken', slot: slot + 1, taskId });
    if (told?.phase === 'arriving' && told.taker?.task_id === taskId) this.send({ to: 'target', sit: { slot, taskId } });
  }

  /** The task in this slot of the target dies, and another takes its place. */
  replace(slot: number): void {
    const [number, generation] = this.tasks[slot]!.split('.');
    this.tasks[slot] = `${number ?? ''}.${Number(generation) + 1}`;
  }

  deliver(message: Message): void {
    if ('event' in message) {
      if (message.to === 'source') this.tellSource(message.event);
      else this.tellTarget(message.event);
    } else if ('act' in message) {
      this.act(message.act);
    } else if ('sit' in message) {
      // What a task does ends with it.
      if (this.tasks[message.sit.slot] === message.sit.taskId) this.write(() => (this.away[message.sit.slot] = true));
    } else if (message.ask === 'verdict') {
      const verdict: Verdict = verdictOf(this.tellSource({ type: 'tick' }));
      this.send({ to: 'target', event: { type: 'told', verdict } });
    } else {
      this.answer(message.ask);
    }
  }

  /** A record that stands still for nothing is let go, as the managing task does. */
  sweep(): void {
    const handoff = this.source.bus ?? this.source.disk;
    if (this.home?.departing === true && (handoff === null || handoff.phase === 'aborted')) this.home.departing = false;
  }

  private answer(ask: 'offer' | 'transfer' | 'accept' | 'finish'): void {
    if (ask === 'offer') {
      if (this.loadTarget() === null) this.keepTarget(reserved(ID, 'world', this.now));
      this.tellTarget({ type: 'offer' });
      return this.send({ to: 'source', event: { type: 'reserved' } });
    }
    const snapshot = (this.source.bus ?? this.source.disk)?.snapshot;
    if (ask === 'transfer' && snapshot === undefined) return;
    const told = this.tellTarget(ask === 'transfer' ? { type: 'transfer', snapshot: snapshot!, sha256: 'hash' } : { type: ask });
    if (told === null || told.phase === 'dropped' || told.phase === 'reserved') {
      return this.send({ to: 'source', event: ask === 'finish' ? { type: 'finished' } : { type: 'forgotten' } });
    }
    if (ask === 'transfer') return this.send({ to: 'source', event: { type: 'staged' } });
    if (ask === 'finish' && told.phase === 'finished') return this.send({ to: 'source', event: { type: 'finished' } });
    if (ask === 'accept' && (told.phase === 'seated' || told.phase === 'finished')) {
      const event: SourceEvent = { type: 'accepted', taskId: told.target_task_id ?? '', path: '', rack: 'two' };
      this.send({ to: 'source', event });
    }
  }

  private act(act: 'mark' | 'leave' | 'release' | 'seat'): void {
    switch (act) {
      case 'mark':
        if (this.home === null)
          return this.send({ to: 'source', event: { type: 'refused', refusal: { status: 409, text: '', reason: '' } } });
        this.write(() => (this.home!.departing = true));
        return this.send({ to: 'source', event: { type: 'marked', state: STATE } });
      case 'leave':
        if (this.home?.departing === true) this.write(() => (this.home = null));
        return this.send({ to: 'source', event: { type: 'left', replicas: 2 } });
      case 'release':
        if (this.home !== null) this.write(() => (this.home!.departing = false));
        return this.send({ to: 'source', event: { type: 'released' } });
      case 'seat': {
        const slot = this.away.indexOf(true);
        if (slot >= 0) return this.send({ to: 'target', event: { type: 'seated', taskId: this.tasks[slot]! } });
        const taker = this.target.bus?.taker ?? null;
        if (taker !== null && this.tasks[taker.slot - 1] !== taker.task_id) {
          return this.send({ to: 'target', event: { type: 'untaken', taskId: taker.task_id } });
        }
        return this.send({ to: 'target', event: { type: 'roomy' } });
      }
    }
  }

  /** As the keeper does it: first the bus, then the disk, and only then whatever follows. */
  private tellSource(event: SourceEvent): SourceHandoff | null {
    this.source.bus ??= this.source.disk;
    if (this.source.bus === null) return null;
    const after = stepSource(this.source.bus, event, this.now).handoff;
    if (after !== this.source.bus) this.write(() => (this.source.bus = { ...after, revision: after.revision + 1 }));
    const told = this.source.bus;
    if (this.source.disk?.revision !== told.revision) this.write(() => (this.source.disk = told));
    return told;
  }

  private tellTarget(event: TargetEvent): TargetHandoff | null {
    const before = this.loadTarget();
    if (before === null) return null;
    const after = stepTarget(before, event, this.now).handoff;
    if (after !== before) this.write(() => (this.target.bus = { ...after, revision: after.revision + 1 }));
    const told = this.target.bus ?? after;
    if (this.target.disk?.revision !== told.revision) this.write(() => (this.target.disk = told));
    return told;
  }

  private loadTarget(): TargetHandoff | null {
    return (this.target.bus ??= this.target.disk);
  }

  private keepTarget(handoff: TargetHandoff): void {
    this.write(() => (this.target.bus = handoff));
    this.write(() => (this.target.disk = handoff));
  }

  private send(message: Message): void {
    this.messages.push(message);
  }

  private write(what: () => void): void {
    if (this.writesLeft !== null) {
      if (this.writesLeft === 0) throw new Death();
      this.writesLeft -= 1;
    }
    what();
  }
}
