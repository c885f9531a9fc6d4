import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../contract/config.ts';

/** What a reload changes. Names and keys are sorted. */
export interface ConfigDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Agents of which anything differs, be it through `defaults`. */
  readonly changed: readonly string[];
  /** Keys outside of the agents that differ: `listen`, `limits.connect`. */
  readonly settings: readonly string[];
}

/**
 * Compares loaded values and not text: a comment, another order of keys, or `60s` written as `1m` is no change. Which settings
 * take effect without a restart is not known here, but where they are used.
 */
export function diffConfig(before: Config, after: Config): ConfigDiff {
  const names = (config: Config): string[] => Object.keys(config.agents).sort();
  return {
    added: names(after).filter((name) => !Object.hasOwn(before.agents, name)),
    removed: names(before).filter((name) => !Object.hasOwn(after.agents, name)),
    changed: names(after).filter(
      (name) => Object.hasOwn(before.agents, name) && !isDeepStrictEqual(before.agents[name], after.agents[name]),
    ),
    settings: [...differing(before, after)].sort(),
  };
}

/** `defaults` is left out: it has no effect but through the agents, where it shows. */
function* differing(before: Config, after: Config): Iterable<string> {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)] as (keyof Config)[]);
  for (const key of keys) {
    if (key === 'agents' || key === 'defaults' || isDeepStrictEqual(before[key], after[key])) continue;
    const [old, young] = [before[key], after[key]] as readonly unknown[];
    if (!isSection(old) || !isSection(young)) yield key;
    else for (const part of Object.keys(young)) if (!isDeepStrictEqual(old[part], young[part])) yield `${key}.${part}`;
  }
}

const isSection = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
