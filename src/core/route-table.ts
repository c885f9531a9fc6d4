import { type Hostname, parseHostname, parseWildcard } from '../contract/hostname.ts';

/**
 * Which agent a host belongs to, by config. Exact names in one map, wildcards in another keyed by suffix: a look-up costs one
 * probe and then one per label of the host, however many agents there are. A trie would save nothing at these depths.
 */
export interface RouteTable {
  readonly exact: ReadonlyMap<Hostname, string>;
  /** `.example.com` for `*.example.com`. */
  readonly suffixes: ReadonlyMap<string, string>;
}

/** The config was checked: every pattern is valid and none is listed twice. */
export function routeTable(agents: Iterable<{ readonly name: string; readonly patterns: readonly string[] }>): RouteTable {
  const exact = new Map<Hostname, string>();
  const suffixes = new Map<string, string>();
  for (const { name, patterns } of agents) {
    for (const pattern of patterns) {
      const suffix = parseWildcard(pattern);
      const host = suffix === null ? parseHostname(pattern) : null;
      if (suffix !== null) suffixes.set(suffix, name);
      else if (host !== null) exact.set(host, name);
    }
  }
  return { exact, suffixes };
}

/** The agent whose wildcard covers `host`: any depth, the longest suffix wins. Undefined when there is none. */
export function matchWildcard(table: RouteTable, host: Hostname): string | undefined {
  if (table.suffixes.size === 0) return undefined;
  for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
    const agent = table.suffixes.get(host.slice(dot));
    if (agent !== undefined) return agent;
  }
  return undefined;
}
