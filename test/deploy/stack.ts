import { parse } from 'yaml';
import { readText } from '../house/tree.ts';

/** A stack file as Docker reads it: variables put in from what is given, merge keys followed. */
export interface StackService {
  readonly image: string;
  readonly command?: readonly string[];
  readonly user?: string;
  readonly init?: boolean;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly ports?: readonly { readonly target: number; readonly published: number; readonly mode: string }[];
  readonly networks: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly { readonly source: string; readonly target: string; readonly uid?: string }[];
  readonly configs?: readonly { readonly source: string; readonly target: string }[];
  readonly volumes?: readonly unknown[];
  readonly stop_grace_period?: string;
  readonly deploy: {
    readonly replicas: number | string;
    readonly endpoint_mode?: string;
    readonly placement?: { readonly constraints: readonly string[] };
    readonly update_config?: { readonly order: string };
    readonly resources?: { readonly limits?: Readonly<Record<string, string | number>> };
  };
}

export interface StackNetwork {
  readonly external?: boolean;
  readonly internal?: boolean;
  readonly name?: string;
  readonly driver_opts?: Readonly<Record<string, string>>;
  readonly ipam?: { readonly config: readonly { readonly subnet: string }[] };
}

export interface Stack {
  readonly services: Readonly<Record<string, StackService>>;
  readonly networks: Readonly<Record<string, StackNetwork>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
  readonly configs: Readonly<Record<string, { readonly name: string; readonly file: string }>>;
  readonly secrets: Readonly<Record<string, { readonly external: boolean; readonly name: string }>>;
}

/** `${NAME}`, `${NAME:-fallback}` and `${NAME:?what is wanted}`. Throws the last one's words where nothing is given. */
export const interpolated = (text: string, given: Readonly<Record<string, string>>): string =>
  text.replaceAll(/\$\{([A-Z_]+)(?:(:[-?])([^}]*))?\}/g, (_whole, name: string, kind: string | undefined, words = '') => {
    const value = given[name] ?? '';
    if (value !== '') return value;
    if (kind === ':?') throw new Error(`${name}: ${String(words)}`);
    return String(words);
  });

export const readStack = (file: string, given: Readonly<Record<string, string>>): Stack =>
  parse(interpolated(withoutComments(readText(file)), given), { merge: true }) as Stack;

/** The comments speak of variables too. */
const withoutComments = (text: string): string => text.replaceAll(/^\s*#.*$/gm, '');
