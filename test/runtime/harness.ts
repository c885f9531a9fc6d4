import { onTestFinished } from 'vitest';
import { complaintLine } from '../../src/config/complaint.ts';
import { diffConfig } from '../../src/config/diff.ts';
import { configFromText } from '../../src/config/load.ts';
import { agentFromBody } from '../../src/config/made-agent.ts';
import type { Config } from '../../src/contract/config.ts';
import type { AgentStateName, EventBody, EventType } from '../../src/contract/events.ts';
import { parseHost } from '../../src/contract/hostname.ts';
import type { AgentRunner } from '../../src/runtime/agent-runner.ts';
import type { Answer, Caller } from '../../src/runtime/control.ts';
import type { Loaded } from '../../src/runtime/control-parts.ts';
import { CountedEngine } from '../../src/runtime/counted-engine.ts';
import { FleetControl } from '../../src/runtime/fleet-control.ts';
import { Fleet } from '../../src/runtime/fleet.ts';
import type { Admission, Destination, Held, Refused, Work } from '../../src/runtime/traffic.ts';
import { assert } from '../../src/std/assert.ts';
import { type Outcome, done, failed } from '../../src/std/outcome.ts';
import type { FakeEngineOptions } from '../support/fake-agent.ts';
import { FakeEngine } from '../support/fake-engine.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { RecordingMetrics } from '../support/recording-metrics.ts';
import { ScriptedProbe } from '../support/scripted-probe.ts';
import { SimClock } from '../support/sim-clock.ts';

/** A part of orchestrator.yaml as an object; what is left out gets its default from the schema. */
export type Loose = Readonly<Record<string, unknown>>;

export interface HouseOptions {
  /** By name. hostname `<name>.test` and something to run are filled in. */
  readonly agents?: Readonly<Record<string, Loose>>;
  /** Whatever else the file says. */
  readonly file?: Loose;
  /** Options for one of its own, or the engine that an earlier house left behind. */
  readonly engine?: FakeEngineOptions | FakeEngine;
  /** Of an earlier house, when this one is the daemon started again. */
  readonly store?: MemoryStore;
  readonly clock?: SimClock;
}

/** Ports that the daemon is said to listen on. */
export const OWN_PORTS = [8080, 9180] as const;

/** Fleet and FleetControl on a fake world, as main puts them together. Closed at the end of the test; nothing may be left. */
export class House {
  readonly clock: SimClock;
  readonly engine: FakeEngine;
  readonly probe: ScriptedProbe;
  readonly store: MemoryStore;
  readonly log = new RecordingLog();
  readonly metrics = new RecordingMetrics();
  readonly events: EventBody[] = [];
  /** Agents whose figures were let go of. */
  readonly forgotten: string[] = [];
  /** Agents whose connections were ended. */
  readonly disconnected: string[] = [];
  readonly fleet: Fleet;
  readonly control: FleetControl;
  /** What the next reload finds. */
  file: Loose;

  private readonly options: HouseOptions;

  constructor(options: HouseOptions = {}) {
    this.options = options;
    this.clock = options.clock ?? new SimClock();
    this.engine = options.engine instanceof FakeEngine ? options.engine : new FakeEngine(this.clock, options.engine);
    this.probe = new ScriptedProbe(this.clock);
    this.store = options.store ?? new MemoryStore();
    this.file = { ...options.file, engine: this.engine.name, agents: this.agents(options.agents ?? { kai: {} }) };
    const engine = new CountedEngine(this.engine, this.metrics);
    const world = { clock: this.clock, engine, store: this.store, log: this.log, metrics: this.metrics };
    this.fleet = new Fleet({
      ...world,
      probe: this.probe.probe,
      tokenOf: (agent) => `token of ${agent}`,
      ownPorts: () => OWN_PORTS,
      forgotten: (agent) => void this.forgotten.push(agent),
      endConnections: (agent) => void this.disconnected.push(agent),
    });
    this.control = new FleetControl(
      {
        ...world,
        fleet: this.fleet,
        tokens: { isAdmin: (token) => token === 'admin', agentOf: (token) => /^token of (.*)$/.exec(token)?.[1] ?? null },
        load: (current) => this.load(current),
        taken: () => undefined,
        agentFromBody: (body, current) => agentFromBody(body, current, '/'),
      },
      this.loaded(),
    );
    const subscribed = this.control.subscribe((event) => void this.events.push(event));
    assert(subscribed !== null, 'the first reader finds room');
  }

  /** Agents as they stand in the file, with what every one needs. */
  agents(agents: Readonly<Record<string, Loose>>): Loose {
    const swarm = this.engine.name === 'swarm';
    return Object.fromEntries(
      Object.entries(agents).map(([name, agent]) => {
        const runs = swarm ? { container: { name }, backend: `http://tasks.${name}:8081` } : { process: { command: ['agent'] } };
        const managed = agent['policy'] === 'unmanaged' ? {} : runs;
        return [name, { hostname: `${name}.test`, ...managed, ...agent }];
      }),
    );
  }

  async open(): Promise<void> {
    await this.drive(this.control.open());
  }

  /** Lets time pass until `promise` is settled. */
  async drive<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    const isOver = (): boolean => over;
    const settled = promise.finally(() => (over = true));
    // Its failure is for whoever awaits it.
    settled.catch(() => undefined);
    await this.clock.settle();
    while (!isOver()) await this.clock.advance(1);
    return settled;
  }

  /** Writes other agents into the file and loads it again. */
  async reload(agents: Readonly<Record<string, Loose>>, file: Loose = {}): Promise<Answer<Loaded['changes']>> {
    this.file = { ...this.file, ...file, agents: this.agents(agents) };
    const answer = await this.control.reload();
    await this.clock.settle();
    return answer;
  }

  runner(name = 'kai'): AgentRunner {
    const runner = this.fleet.runner(name);
    assert(runner !== undefined, `there is an agent ${name}`);
    return runner;
  }

  state(name = 'kai'): AgentStateName {
    return this.runner(name).state.name;
  }

  /** One request or upgrade for this host, as the data plane asks. */
  ask(host = 'kai.test', kind: 'request' | 'upgrade' = 'request', cut: () => void = () => undefined): Admission {
    const destination = this.destination(host);
    const admission = destination.admit(kind, cut);
    return admission.kind === 'asleep' ? destination.call(kind, null) : admission;
  }

  /** One request or upgrade for this host that waits if it has to; what became of it so far is in its `outcome`. */
  waits(host = 'kai.test', kind: 'request' | 'upgrade' = 'request', cut: () => void = () => undefined): WaitingCaller {
    return new WaitingCaller(this.destination(host), kind, cut);
  }

  /** POST /api/wake on this host. */
  want(host: string): Refused | null {
    return this.destination(host).want('api', null);
  }

  /** A request that has to be let in. */
  admitted(host = 'kai.test', kind: 'request' | 'upgrade' = 'request', cut: () => void = () => undefined): Work {
    const admission = this.ask(host, kind, cut);
    assert(admission.kind === 'admitted', `${host} lets a request in, and does not say ${admission.kind}`);
    return admission.work;
  }

  /** Wakes the agent and waits until it is ready. */
  async ready(name = 'kai'): Promise<void> {
    this.control.wake(name);
    for (let waited = 0; waited < 60_000 && this.state(name) !== 'ready'; waited += 1) await this.clock.advance(1);
    assert(this.state(name) === 'ready', `${name} becomes ready, and is not ${this.state(name)}`);
  }

  /** The ids of the agent's tasks that are not ending. */
  tasks(name = 'kai'): string[] {
    return this.engine.truth(name).tasks.flatMap((task) => (task.state === 'ending' ? [] : [task.id]));
  }

  port(name = 'kai', index = 0): number {
    const port = this.engine.truth(name).tasks[index]?.address?.port;
    assert(port !== undefined, `${name} has a task ${index}`);
    return port;
  }

  eventsOf(...types: readonly EventType[]): (EventBody & Loose)[] {
    return this.events.filter((event) => types.includes(event.type as EventType));
  }

  /** The daemon ends: no alarm of the runtime's is left, and no check goes on. */
  async close(): Promise<void> {
    this.control.drain();
    this.fleet.close();
    if (this.engine.calls.some(({ call }) => call === 'open')) await this.drive(this.engine.close(0));
  }

  /** kill -9 of the daemon, and its start anew: on the same swarm and the same state_dir. Not open yet. */
  killed(): House {
    this.control.drain();
    this.fleet.close();
    this.engine.orphan();
    return new House({ ...this.options, engine: this.engine, store: this.store, clock: this.clock });
  }

  private destination(host: string): Destination {
    const name = parseHost(host);
    const destination = name === null ? null : this.fleet.lookup(name);
    assert(destination !== null, `somebody answers to ${host}`);
    return destination;
  }

  private load(current: Config): Outcome<Loaded, readonly string[]> {
    const next = configFromText(JSON.stringify(this.file), 'test.yaml', {});
    if (!next.ok) return failed(next.failure.map((complaint) => complaintLine('test.yaml', complaint)));
    const { added, removed, changed, settings } = diffConfig(current, next.value.config);
    return done({
      config: next.value.config,
      changes: { added: [...added], removed: [...removed], changed: [...changed], restart_needed: [...settings] },
    });
  }

  private loaded(): Config {
    const config = configFromText(JSON.stringify(this.file), 'test.yaml', {});
    assert(config.ok, `the config of the test is in order: ${JSON.stringify(config.ok ? '' : config.failure)}`);
    return config.value.config;
  }
}

/** A caller who waits where the agent is not awake, as the data plane lets it. */
export class WaitingCaller {
  outcome: Admission | null = null;
  private readonly held: Held | null;

  constructor(destination: Destination, kind: 'request' | 'upgrade', cut: () => void) {
    const admission = destination.admit(kind, cut);
    const asked =
      admission.kind === 'asleep'
        ? destination.hold(kind, null, { settled: (settled) => (this.outcome = settled) }, cut)
        : admission;
    this.held = asked.kind === 'held' ? asked : null;
    if (asked.kind !== 'held') this.outcome = asked;
  }

  get isHeld(): boolean {
    return this.held !== null && this.outcome === null;
  }

  leave(): void {
    this.held?.leave();
  }

  /** How it ended: `admitted`, `asleep`, or the code of the problem. */
  get word(): string {
    const { outcome } = this;
    return outcome === null ? 'held' : outcome.kind === 'refused' ? outcome.problem : outcome.kind;
  }

  /** The work of a request that was let in. */
  get work(): Work {
    assert(this.outcome?.kind === 'admitted', `the request was let in, and is not ${this.word}`);
    return this.outcome.work;
  }
}

/** An open house. */
export async function house(options: HouseOptions = {}): Promise<House> {
  const built = new House(options);
  await built.open();
  onTestFinished(() => built.close());
  return built;
}

export const caller = (agent = 'kai', parts: Partial<Caller> = {}): Caller => ({
  agent,
  task: null,
  from: '127.0.0.1',
  admin: false,
  ...parts,
});

/** The code of a refusal, or `ok`. */
export const codeOf = (answer: Answer<unknown>): string => (answer.ok ? 'ok' : answer.failure.problem);
