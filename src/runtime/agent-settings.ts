import type { Policy } from '../core/agent/policy.ts';
import { type HttpUrl, parseHttpUrl } from '../contract/address.ts';
import type { AgentConfig } from '../contract/config.ts';
import type { KeptState } from '../contract/events.ts';
import type { Address, Workload } from '../ports/engine.ts';
import type { ProbeOrder } from '../ports/probe.ts';
import { assert } from '../std/assert.ts';
import type { Millis } from '../std/time.ts';
import type { ActivityRules } from './activity.ts';

/** One agent's config, put into the words of those who use it. Made once at load, read on every request. */
export interface AgentSettings {
  readonly name: string;
  readonly config: AgentConfig;
  /** hostname first, then hostnames, as written. */
  readonly patterns: readonly string[];
  readonly policy: Policy;
  readonly activity: ActivityRules;
  /** Null for unmanaged agents. Its address is null where each task is asked itself. */
  readonly probe: (Omit<ProbeOrder, 'address'> & { readonly address: Address | null }) | null;
  readonly checkInterval: Millis;
  /** Where an unmanaged agent listens. */
  readonly backend: Address | null;
  /** Made by `POST /admin/agents` and not in the config file. */
  readonly fromApi: boolean;
}

/** What of the whole house an agent's policy must know. */
export interface HouseRules {
  readonly maxReadyAgents: number;
  /** What an operator keeps it. */
  readonly keptAs: (agent: string) => KeptState | null;
}

export function agentSettings(name: string, config: AgentConfig, fromApi: boolean, house: HouseRules): AgentSettings {
  const { health, idle } = config;
  const patterns = [config.hostname, ...config.hostnames];
  const askedAt = health.url === null ? null : checkedUrl(health.url);
  return {
    name,
    config,
    patterns,
    policy: {
      kind: config.policy,
      replicas: config.replicas,
      startupTimeout: health.startup_timeout,
      maxFailures: health.max_failures,
      maxRestartAttempts: health.max_restart_attempts,
      idleTimeout: idle.timeout,
      drainTimeout: idle.drain_timeout,
      wakeCooldown: idle.wake_cooldown,
      freezeAfter: idle.freeze_after,
      capped: house.maxReadyAgents > 0,
      seekTimeout: config.hold.max_wait,
      minAwake: idle.min_awake,
      pinned: config.pin,
      keep: house.keptAs(name),
    },
    activity: { websocket: idle.websocket, idleTimeout: idle.timeout },
    probe:
      config.policy === 'unmanaged'
        ? null
        : {
            address: askedAt === null ? null : addressOf(askedAt),
            path: askedAt === null ? health.path : askedAt.path || '/',
            host: askedAt === null ? probeHost(patterns, name) : `${askedAt.host}:${askedAt.port}`,
            timeout: health.timeout,
            expect: health.expect.map(statusRange),
          },
    checkInterval: health.check_interval,
    backend: config.backend === null ? null : addressOf(checkedUrl(config.backend)),
    fromApi,
  };
}

/** What the engine needs; null when no engine runs the agent. */
export function workloadOf(settings: AgentSettings, token: string): Workload | null {
  const { name, config } = settings;
  if (config.policy === 'unmanaged') return null;
  const { process, container, replicas, policy } = config;
  return {
    agent: name,
    policy,
    replicas,
    process:
      process === undefined
        ? null
        : { command: process.command, cwd: process.cwd, env: process.env, port: settings.backend?.port ?? null, token },
    swarm: container === undefined || settings.backend === null ? null : serviceOf(container.name, settings.backend),
  };
}

/** `tasks.<service>` is Docker's name for every task of a service: it stands for their addresses and is never looked up. */
function serviceOf(service: string, { host, port }: Address): Workload['swarm'] {
  return { service, host: host.startsWith('tasks.') ? null : host, port };
}

function checkedUrl(text: string): HttpUrl {
  const url = parseHttpUrl(text);
  assert(url.ok, 'the config was checked: its addresses are whole');
  return url.value;
}

const addressOf = ({ host, port }: HttpUrl): Address => ({ host, port });

/** A check carries a name that the agent knows itself by; a wildcard is none. */
function probeHost(patterns: readonly string[], name: string): string {
  return patterns.find((pattern) => !pattern.startsWith('*')) ?? name;
}

function statusRange(text: string): readonly [number, number] {
  const [low = '', high = low] = text.split('-');
  return [Number(low), Number(high)];
}
