import Type from 'typebox';
import { BusyReply, SelfView, ServiceView } from '../../src/contract/api.ts';
import { formatDuration } from '../../src/contract/units.ts';
import { type Millis, millisOf } from '../../src/std/time.ts';
import { type Access, type Reply, exchange } from './exchange.ts';

/**
 * What an agent may ask of the daemon (contract section 5), one method a call. Each rejects with nothing but a DaemonError,
 * after at most `timeoutMs`. Keeping a route or a lease alive is not done here: see renewal.ts.
 */
export interface Daemon {
  self(): Promise<SelfView>;
  /** 1 up to replicas_max; lives until the next sleep. */
  scale(replicas: number): Promise<void>;
  /** Ends exactly this task. One fewer is wanted afterwards, unless `replace`. */
  endTask(id: string, options?: { readonly replace?: boolean }): Promise<void>;
  /** Registers, or renews. Resolves to how long it holds; null: until the agent sleeps. */
  register(hostname: string, target: string, ttl: Millis | null): Promise<Millis | null>;
  unregister(hostname: string): Promise<void>;
  routes(): Promise<readonly ServiceView[]>;
  /** Takes the task's busy lease, or renews it. Resolves to how long it holds, which may be less than asked. */
  takeLease(ttl: Millis, reason: string): Promise<Millis>;
  dropLease(): Promise<void>;
}

const Anything = Type.Unknown();

export const daemonAt = (access: Access): Daemon => ({
  self: async () => (await exchange(access, 'GET', '/api/self', SelfView)).body,
  scale: async (replicas) => {
    await exchange(access, 'POST', '/api/self/scale', Anything, { replicas });
  },
  endTask: async (id, options = {}) => {
    const query = options.replace === true ? '?replace=true' : '';
    await exchange(access, 'DELETE', `/api/self/tasks/${encodeURIComponent(id)}${query}`, Anything);
  },
  register: async (hostname, target, ttl) => {
    const body = { hostname, target, ...(ttl === null ? {} : { ttl: formatDuration(ttl) }) };
    const reply = await exchange(access, 'POST', '/api/services', ServiceView, body);
    return ttl === null || reply.body.expires_at === null ? null : granted(ttl, reply.body.expires_at, reply);
  },
  unregister: async (hostname) => {
    await exchange(access, 'DELETE', `/api/services/${encodeURIComponent(hostname)}`, Anything);
  },
  routes: async () => (await exchange(access, 'GET', '/api/services', Type.Array(ServiceView))).body,
  takeLease: async (ttl, reason) => {
    const reply = await exchange(access, 'PUT', '/api/self/busy', BusyReply, { ttl: formatDuration(ttl), reason });
    return granted(ttl, reply.body.expires_at, reply);
  },
  dropLease: async () => {
    await exchange(access, 'DELETE', '/api/self/busy', Anything);
  },
});

/**
 * How long the daemon granted, measured on the daemon's own clock: this machine's may be minutes off. Date has whole seconds,
 * so the difference may come out up to a second too long; what was asked for is the upper bound.
 */
function granted(asked: Millis, expiresAt: string, reply: Reply<unknown>): Millis {
  if (reply.at === null) return asked;
  return millisOf(Math.max(0, Math.min(asked, Date.parse(expiresAt) - reply.at)));
}
