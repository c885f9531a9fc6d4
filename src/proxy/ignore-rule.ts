import { clientAddress, type Peer, type TrustedPeers } from './client-address.ts';
import type { RequestHead } from './head.ts';

/**
 * One rule of `ignore`, ready to be asked. Every request comes by here, those of agents that are awake too, so the cheap
 * questions come first (method, path), and what the others cost has a limit that no client can move: values are looked at in
 * their first {@link VALUE_CHARS_MAX} characters, expressions in one pass, and verdicts are remembered.
 */
const VALUE_CHARS_MAX = 512;
/** Verdicts remembered for each of them: most callers of an agent are the same few programs. */
const VERDICTS_MAX = 64;

/** What is answered while the agent is not awake. */
export type WhileAsleep =
  /** The 503 that any caller of a sleeping agent gets. */
  | { readonly kind: 'unavailable' }
  /** 200 with the state of the agent; the 503 where it is degraded. */
  | { readonly kind: 'reachable' }
  | { readonly kind: 'text'; readonly status: number; readonly contentType: string; readonly body: string };

export interface Tested {
  test(text: string): boolean;
}

/** Null: not asked about. */
export interface Rule {
  readonly methods: readonly string[] | null;
  readonly paths: readonly { readonly text: string; readonly isPrefix: boolean }[] | null;
  readonly userAgent: Tested | null;
  /** `name` in lower case; `value` null: any. */
  readonly header: { readonly name: string; readonly value: Tested | null } | null;
  /** Fits an address. */
  readonly client: Tested | null;
  readonly whileAsleep: WhileAsleep;
}

export function fits(rule: Rule, head: RequestHead, peer: Peer, peers: TrustedPeers): boolean {
  if (rule.methods !== null && !rule.methods.includes(head.method)) return false;
  if (rule.paths !== null && !fitsPath(rule.paths, head.path)) return false;
  if (rule.userAgent !== null && !fitsValue(rule.userAgent, head.lines.userAgent)) return false;
  if (rule.header !== null && !fitsHeader(rule.header, head.lines.kept)) return false;
  if (rule.client === null) return true;
  const client = clientAddress(head.lines, peer, peers);
  return client !== null && rule.client.test(client);
}

function fitsPath(paths: NonNullable<Rule['paths']>, path: string): boolean {
  for (const { text, isPrefix } of paths) if (isPrefix ? path.startsWith(text) : path === text) return true;
  return false;
}

function fitsHeader({ name, value }: NonNullable<Rule['header']>, lines: readonly string[]): boolean {
  for (let at = 0; at + 1 < lines.length; at += 2) {
    if (lines[at]?.length !== name.length || lines[at]?.toLowerCase() !== name) continue;
    if (value === null || fitsValue(value, lines[at + 1] ?? '')) return true;
  }
  return false;
}

const fitsValue = (pattern: Tested, value: string | null): boolean =>
  value !== null && pattern.test(value.length > VALUE_CHARS_MAX ? value.slice(0, VALUE_CHARS_MAX) : value);

/** An expression or a set of addresses, and what it said lately. */
export class Remembering implements Tested {
  private readonly tested: Tested;
  private readonly verdicts = new Map<string, boolean>();

  constructor(tested: Tested) {
    this.tested = tested;
  }

  test(text: string): boolean {
    const known = this.verdicts.get(text);
    if (known !== undefined) return known;
    if (this.verdicts.size >= VERDICTS_MAX) this.verdicts.clear();
    const verdict = this.tested.test(text);
    this.verdicts.set(text, verdict);
    return verdict;
  }
}
