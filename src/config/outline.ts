import type { Config } from '../contract/config.ts';
import { configFromText } from './load.ts';
import { isObject } from './loose.ts';
import { readText } from './read.ts';
import { readTree } from './tree.ts';

/** What tells where a daemon is, and how to speak to it. */
const KEYS = ['admin_listen', 'admin_token', 'admin_token_file', 'state_dir'] as const satisfies readonly (keyof Config)[];

/**
 * As much of a config file with mistakes in it as leads to its daemon, which goes on with the config before: who mends the file
 * wants to ask that daemon how it is. Null where not even that can be made out.
 */
export function outlineOf(file: string, env: Readonly<Record<string, string | undefined>>): Config | null {
  const text = readText(file);
  const root = text.ok ? readTree(text.value, env).value : null;
  if (!isObject(root)) return null;
  const kept = Object.fromEntries(KEYS.flatMap((key) => (Object.hasOwn(root, key) ? [[key, root[key]]] : [])));
  // JSON is YAML. Variables were put in already.
  const outline = configFromText(JSON.stringify({ ...kept, agents: {} }), file, {});
  return outline.ok ? outline.value.config : null;
}
