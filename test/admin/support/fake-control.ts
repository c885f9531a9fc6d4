import type {
  AdminServiceView,
  AgentView,
  CreateAgentBody,
  HealthView,
  OverrideView,
  RegisterBody,
  ReloadView,
  SelfView,
  ServiceView,
} from '../../../src/contract/api.ts';
import type { EventBody, EventType, KeptState } from '../../../src/contract/events.ts';
import type { Answer, Caller, Control, Refusal } from '../../../src/runtime/control.ts';
import { done, failed } from '../../../src/std/outcome.ts';
import { type Millis, type WallTime, rfc3339 } from '../../../src/std/time.ts';

const NOW = '2026-01-01T00:00:00.000Z';
export const ADMIN_TOKEN = 'the-admin-token';
export const tokenOf = (agent: string): string => `token-of-${agent}`;

/** An agent as its view has it, and what the fake must know besides. */
interface FakeAgent {
  view: AgentView;
  readonly fromFile: boolean;
  readonly domain: string;
  tasks: string[];
}

/**
 * The runtime as the internal port sees it: it keeps state, answers as the contract says, and remembers in whose name it was
 * asked. No engine is behind it, so nothing happens by itself; a test says when an agent is ready.
 */
export class FakeControl implements Control {
  readonly callers: Caller[] = [];
  readonly known = new Map<string, FakeAgent>();
  readonly routes = new Map<string, AdminServiceView>();
  readonly leases = new Map<string, string>();
  isReady: { ready: boolean; because?: string } = { ready: true };
  reloadAnswer: Answer<ReloadView> = done({ added: [], removed: [], changed: [], restart_needed: [] });
  readersMax = 100;
  readonly readers = new Set<(event: EventBody) => void>();
  private readonly waits = new Set<{ readonly name: string; readonly end: (answer: Answer<null>) => void }>();
  /** Every event that was published, unless a test takes some out. */
  events: EventBody[] = [];
  private lastId = 0;

  constructor() {
    this.add('kai', ['kai.example.com', '*.kai.example.com']);
    this.add('ada', ['*.ada.example.com', 'Ada.example.com']);
    this.add('wild', ['*.wild.example.com']);
    this.add('always', ['always.example.com'], { policy: 'always-on', state: 'running' });
  }

  add(name: string, [hostname = '', ...hostnames]: readonly string[], rest: Partial<AgentView> = {}, fromFile = true): AgentView {
    const view: AgentView = {
      name,
      hostname,
      hostnames,
      policy: 'on-demand',
      backend: null,
      state: 'ready',
      since: NOW,
      connections: 0,
      in_flight: 0,
      held: 0,
      last_activity: null,
      replicas: { wanted: 1, running: 1, max: 3 },
      ...rest,
    };
    this.known.set(name, { view, fromFile, domain: `.${name}.example.com`, tasks: [`${name}-task-1`] });
    return view;
  }

  /** How many calls of `wakeAndWait` have not come back. */
  get waiting(): number {
    return this.waits.size;
  }

  becomeReady(name: string): void {
    for (const wait of this.waits) if (wait.name === name) wait.end(done(null));
  }

  publish(type: EventType, agent: string, extra: Readonly<Record<string, unknown>> = {}): void {
    this.lastId += 1;
    const event: EventBody = { id: this.lastId, type, agent, at: NOW, ...extra };
    this.events.push(event);
    for (const reader of this.readers) {
      queueMicrotask(() => {
        if (this.readers.has(reader)) reader(event);
      });
    }
  }

  health(): HealthView {
    return {
      status: 'ok',
      uptime_seconds: 12.5,
      agent_count: this.known.size,
      ready_count: [...this.known.values()].filter(({ view }) => view.state === 'ready' || view.state === 'running').length,
      frozen_count: 0,
      sleeping_count: [...this.known.values()].filter(({ view }) => view.state === 'sleeping').length,
      ws_connections: 0,
      service_count: this.routes.size,
      engine: { name: 'process', connected: true, since: NOW },
      config: { loaded_at: NOW },
    };
  }

  ready(): { readonly ready: boolean; readonly because?: string } {
    return this.isReady;
  }

  agents(): readonly AgentView[] {
    return [...this.known.values()].map(({ view }) => view).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  agent(name: string): Answer<AgentView> {
    const agent = this.known.get(name);
    return agent === undefined ? refused('unknown-agent') : done(agent.view);
  }

  createAgent(body: CreateAgentBody): Answer<AgentView> {
    if (this.known.has(body.name)) return refused('agent-exists');
    return done(this.add(body.name, [body.hostname], { policy: body.policy, backend: body.backend }, false));
  }

  deleteAgent(name: string): Answer<null> {
    const agent = this.known.get(name);
    if (agent === undefined) return refused('unknown-agent');
    if (agent.fromFile) return refused('agent-from-file');
    this.known.delete(name);
    return done(null);
  }

  wake(name: string): Answer<null> {
    return this.order(name, 'starting');
  }

  async wakeAndWait(name: string, _wait: Millis, signal: AbortSignal): Promise<Answer<null>> {
    const ordered = this.order(name, 'starting');
    if (!ordered.ok) return ordered;
    return new Promise((resolve) => {
      const wait = {
        name,
        end: (answer: Answer<null>): void => {
          this.waits.delete(wait);
          resolve(answer);
        },
      };
      this.waits.add(wait);
      signal.addEventListener('abort', () => wait.end(refused('wake-timeout')));
    });
  }

  sleep(name: string, { force }: { readonly force: boolean }): Answer<null> {
    return this.order(name, force ? 'stopping' : 'draining');
  }

  keep(name: string, state: KeptState, until: WallTime | null): Answer<AgentView> {
    return this.override(name, { state, since: NOW, ...(until === null ? {} : { until: rfc3339(until) }) });
  }

  release(name: string): Answer<AgentView> {
    return this.override(name, null);
  }

  services(): readonly AdminServiceView[] {
    return [...this.routes.values()].sort((a, b) => (a.hostname < b.hostname ? -1 : 1));
  }

  servicesOf(agent: string): readonly ServiceView[] {
    return this.services()
      .filter((route) => route.agent === agent)
      .map(({ hostname, target, expires_at }) => ({ hostname, target, agent, expires_at }));
  }

  register(caller: Caller, body: RegisterBody): Answer<ServiceView> {
    return this.asTask(caller, (agent) => {
      if (!body.target.startsWith(':')) return refused('foreign-target');
      if (!body.hostname.endsWith(agent.domain)) return refused('hostname-not-allowed');
      const route = { hostname: body.hostname, target: body.target, agent: caller.agent, expires_at: null };
      this.routes.set(body.hostname, { ...route, created_at: NOW });
      return done(route);
    });
  }

  unregister(caller: Caller | null, hostname: string): Answer<null> {
    if (caller !== null) this.callers.push(caller);
    const route = this.routes.get(hostname);
    if (route === undefined) return refused('unknown-service');
    if (caller !== null && route.agent !== caller.agent) return refused('forbidden');
    this.routes.delete(hostname);
    return done(null);
  }

  self(caller: Caller): Answer<SelfView> {
    return this.asTask(caller, ({ view, domain, tasks }) =>
      done({
        agent: view.name,
        state: view.state,
        since: view.since,
        woken_by: null,
        last_activity: null,
        sleeps_at: null,
        hostnames: [view.hostname, ...view.hostnames],
        domains: [`*${domain}`],
        replicas: view.replicas,
        tasks: tasks.map((id, index) => ({
          id,
          slot: index + 1,
          name: `${view.name}.${index + 1}`,
          node: 'here',
          state: 'running' as const,
          address: '127.0.0.1:4000',
          started_at: NOW,
          on_leader: true,
        })),
      }),
    );
  }

  async scaleSelf(caller: Caller, replicas: number): Promise<Answer<null>> {
    return this.asTask(caller, ({ view }) => {
      if (replicas < 1 || replicas > view.replicas.max) return refused('replicas-out-of-range');
      view.replicas.wanted = replicas;
      return done(null);
    });
  }

  async endTask(caller: Caller, taskId: string, { replace }: { readonly replace: boolean }): Promise<Answer<null>> {
    return this.asTask(caller, (agent) => {
      if (!agent.tasks.includes(taskId)) return refused('unknown-task');
      if (agent.tasks.length === 1 && !replace) return refused('last-task');
      agent.tasks = agent.tasks.filter((id) => id !== taskId);
      return done(null);
    });
  }

  takeLease(caller: Caller, _ttl: Millis, reason: string): Answer<{ readonly expiresAt: string }> {
    return this.asTask(caller, () => {
      this.leases.set(caller.agent, reason);
      return done({ expiresAt: NOW });
    });
  }

  dropLease(caller: Caller): Answer<null> {
    return this.asTask(caller, () => {
      this.leases.delete(caller.agent);
      return done(null);
    });
  }

  async reload(): Promise<Answer<ReloadView>> {
    return this.reloadAnswer;
  }

  agentByToken(token: string): string | null {
    return [...this.known.keys()].find((name) => tokenOf(name) === token) ?? null;
  }

  isAdminToken(token: string): boolean {
    return token === ADMIN_TOKEN;
  }

  subscribe(reader: (event: EventBody) => void): (() => void) | null {
    if (this.readers.size >= this.readersMax) return null;
    this.readers.add(reader);
    return () => void this.readers.delete(reader);
  }

  lastEventId(): number {
    return this.lastId;
  }

  eventsAfter(id: number, limit: number): readonly EventBody[] {
    return this.events.filter((event) => event.id > id).slice(0, limit);
  }

  private override(name: string, override: OverrideView | null): Answer<AgentView> {
    const agent = this.known.get(name);
    if (agent === undefined) return refused('unknown-agent');
    if (agent.view.policy !== 'on-demand') return refused('not-on-demand');
    agent.view = { ...agent.view };
    delete agent.view.override;
    if (override !== null) agent.view.override = override;
    return done(agent.view);
  }

  private order(name: string, state: AgentView['state']): Answer<null> {
    const agent = this.known.get(name);
    if (agent === undefined) return refused('unknown-agent');
    if (agent.view.policy !== 'on-demand') return refused('not-on-demand');
    agent.view = { ...agent.view, state };
    return done(null);
  }

  private asTask<T>(caller: Caller, answer: (agent: FakeAgent) => Answer<T>): Answer<T> {
    this.callers.push(caller);
    const agent = this.known.get(caller.agent);
    if (agent === undefined) return refused('unknown-agent');
    if (caller.task !== null && !agent.tasks.includes(caller.task)) return refused('not-your-task');
    if (caller.task === null && agent.tasks.length > 1) return refused('task-required');
    return answer(agent);
  }
}

const refused = (problem: Refusal['problem']): { readonly ok: false; readonly failure: Refusal } => failed({ problem });
