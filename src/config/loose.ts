import { type Listen, parseBackend, parseListen } from '../contract/address.ts';
import { parseHostname, parseWildcard } from '../contract/hostname.ts';
import { pointerTo } from './places.ts';

/**
 * A config as the cross-checks see it: as much of it as can be made out, null for what cannot. They run even where the schema
 * failed, so that one edit mends everything; that only works if they meet no type they do not expect.
 */
export interface LooseConfig {
  readonly engine: string | null;
  readonly listen: Listen | null;
  readonly adminListen: Listen | null;
  readonly agents: readonly LooseAgent[];
}

export interface LooseAgent {
  readonly name: string;
  readonly pointer: string;
  readonly policy: string | null;
  /** `hostname` and `hostnames`, those that are valid. */
  readonly hostnames: readonly Named[];
  readonly domains: readonly Named[];
  /** Null when there is none or it is not valid. */
  readonly backend: { readonly host: string; readonly port: number } | null;
  readonly raw: Loose;
}

export interface Named {
  readonly pointer: string;
  readonly written: string;
  /** Normalised: lower case, no trailing dot. */
  readonly name: string;
}

export type Loose = Record<string, unknown>;

export const isObject = (value: unknown): value is Loose => typeof value === 'object' && value !== null && !Array.isArray(value);
export const entriesOf = (value: unknown): [string, unknown][] => (isObject(value) ? Object.entries(value) : []);
export const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);
export const wholeOf = (value: unknown): number | null => (Number.isInteger(value) ? (value as number) : null);

export function looseConfig(root: Loose): LooseConfig {
  return {
    engine: textOf(root['engine']),
    listen: parseListen(textOf(root['listen']) ?? ''),
    adminListen: parseListen(textOf(root['admin_listen']) ?? ''),
    agents: entriesOf(root['agents']).flatMap(([name, agent]) => (isObject(agent) ? [looseAgent(name, agent)] : [])),
  };
}

function looseAgent(name: string, raw: Loose): LooseAgent {
  const pointer = pointerTo('/agents', name);
  const backend = parseBackend(textOf(raw['backend']) ?? '');
  return {
    name,
    pointer,
    policy: textOf(raw['policy']),
    hostnames: [...namedIn([raw['hostname']], () => `${pointer}/hostname`), ...namedList(raw, pointer, 'hostnames')],
    domains: namedList(raw, pointer, 'domains'),
    backend: backend.ok ? backend.value : null,
    raw,
  };
}

function namedList(raw: Loose, pointer: string, key: string): Named[] {
  const list = raw[key];
  return Array.isArray(list) ? namedIn(list, (index) => pointerTo(`${pointer}/${key}`, index)) : [];
}

function namedIn(values: readonly unknown[], at: (index: number) => string): Named[] {
  return values.flatMap((value, index) => {
    const written = textOf(value) ?? '';
    const name = normalised(written);
    return name === null ? [] : [{ pointer: at(index), written, name }];
  });
}

/** The form in which two hostnames, or two wildcards, are the same; null when it is neither. */
function normalised(text: string): string | null {
  const suffix = parseWildcard(text);
  return suffix === null ? parseHostname(text) : `*${suffix}`;
}
