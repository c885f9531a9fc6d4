import type { AgentIgnoreConfig, Config, IgnoreRule } from '../contract/config.ts';
import { assert } from '../std/assert.ts';
import { Pattern } from '../std/pattern.ts';
import { AddressRanges } from './address-ranges.ts';
import type { Peer, TrustedPeers } from './client-address.ts';
import type { RequestHead } from './head.ts';
import { DEFAULT_RULES } from './ignore-defaults.ts';
import { fits, Remembering, type Rule, type WhileAsleep } from './ignore-rule.ts';

/**
 * Who neither wakes an agent nor keeps it awake: the rules of all agents, each set made once. Those of an agent come first, then
 * those of the top level, then the default ones; the first that fits decides.
 */
export class IgnoreBook {
  private readonly top: readonly Rule[];
  private readonly defaults: boolean;
  private readonly made = new WeakMap<AgentIgnoreConfig, readonly Rule[]>();

  constructor(config: Config['ignore']) {
    this.top = config.rules.map(ruleOf);
    this.defaults = config.defaults;
  }

  /** What is answered while the agent is not awake; null: none does, and the request counts like any other. */
  match(ignore: AgentIgnoreConfig, head: RequestHead, peer: Peer, peers: TrustedPeers): WhileAsleep | null {
    for (const rule of this.rulesOf(ignore)) if (fits(rule, head, peer, peers)) return rule.whileAsleep;
    return null;
  }

  private rulesOf(ignore: AgentIgnoreConfig): readonly Rule[] {
    const made = this.made.get(ignore);
    if (made !== undefined) return made;
    const defaults = ignore.defaults ?? this.defaults;
    const rules = [...ignore.rules.map(ruleOf), ...this.top, ...(defaults ? DEFAULT_RULES : [])];
    this.made.set(ignore, rules);
    return rules;
  }
}

function ruleOf(rule: IgnoreRule): Rule {
  return {
    methods: rule.method ?? null,
    paths:
      rule.path?.map((text) => (text.endsWith('*') ? { text: text.slice(0, -1), isPrefix: true } : { text, isPrefix: false })) ??
      null,
    userAgent: rule.user_agent === undefined ? null : expression(rule.user_agent),
    header:
      rule.header === undefined
        ? null
        : { name: rule.header.name.toLowerCase(), value: rule.header.value === null ? null : expression(rule.header.value) },
    client: rule.cidr === undefined ? null : new Remembering(new AddressRanges(rule.cidr)),
    whileAsleep:
      rule.answer === undefined
        ? { kind: 'unavailable' }
        : { kind: 'text', ...rule.answer, contentType: typeOf(rule.answer.body) },
  };
}

/** A JSON object is sent as one: whoever writes it has a program in mind that reads it. */
function typeOf(body: string): string {
  try {
    const value: unknown = body.trimStart().startsWith('{') ? JSON.parse(body) : null;
    if (value !== null) return 'application/json';
  } catch {
    // Then it is text.
  }
  return 'text/plain; charset=utf-8';
}

function expression(text: string): Remembering {
  const parsed = Pattern.parse(text);
  assert(parsed.ok, 'the config was checked: its expressions are taken');
  return new Remembering(parsed.value);
}
