import type { ReloadView } from '../contract/api.ts';
import type { AgentConfig, Config } from '../contract/config.ts';
import type { Clock } from '../ports/clock.ts';
import type { Engine } from '../ports/engine.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store } from '../ports/store.ts';
import type { Outcome } from '../std/outcome.ts';
import type { Fleet } from './fleet.ts';

/** Whose token is whose. Every compare takes the same time whatever it is given. */
export interface Tokens {
  isAdmin(token: string): boolean;
  agentOf(token: string): string | null;
}

export interface Loaded {
  readonly config: Config;
  readonly changes: ReloadView;
}

export interface ControlParts {
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly engine: Engine;
  readonly store: Store;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tokens: Tokens;
  /** Reads the config file again and compares it with the config in force; every complaint at once. */
  readonly load: (current: Config) => Outcome<Loaded, readonly string[]>;
  /** A new config is in force: whoever else lives by it takes it over, in the same turn. */
  readonly taken: (config: Config) => void;
  /** Checks the body of `POST /admin/agents` against the config in force; every complaint at once. */
  readonly agentFromBody: (
    body: unknown,
    current: Config,
  ) => Outcome<{ readonly name: string; readonly agent: AgentConfig }, readonly string[]>;
}
