import type { Config } from '../contract/config.ts';
import { assert } from '../std/assert.ts';
import { type Outcome, done, failed } from '../std/outcome.ts';
import { TokenBook, agentToken } from './secret-files.ts';

/** The tokens of all agents in force: what each task is given, and whose a presented one is. */
export class AgentTokens {
  private readonly book = new TokenBook();
  private readonly given = new Map<string, string>();
  private readonly secret: Buffer;

  constructor(secret: Buffer) {
    this.secret = secret;
  }

  /** Takes over the agents of this config, all or none; the failure names the file that cannot be read. */
  learn(config: Config): Outcome<null, string> {
    const next = new Map<string, string>();
    for (const [name, agent] of Object.entries(config.agents)) {
      const token = agentToken(name, agent, this.secret);
      if (!token.ok) return failed(`agents.${name}.token_file: ${token.failure}`);
      next.set(name, token.value.value);
    }
    for (const name of this.given.keys()) if (!next.has(name)) this.forget(name);
    for (const [name, token] of next) this.set(name, token);
    return done(null);
  }

  /** An agent made by API is in no config: its token is derived when it is first asked for. */
  of(name: string): string {
    const known = this.given.get(name);
    if (known !== undefined) return known;
    const derived = agentToken(name, { token_file: null }, this.secret);
    assert(derived.ok, 'a derived token needs no file');
    this.set(name, derived.value.value);
    return derived.value.value;
  }

  whose(token: string): string | null {
    return this.book.agentOf(token);
  }

  private set(name: string, token: string): void {
    this.given.set(name, token);
    this.book.set(name, token);
  }

  private forget(name: string): void {
    this.given.delete(name);
    this.book.delete(name);
  }
}
