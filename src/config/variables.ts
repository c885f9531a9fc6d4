import { done, failed, type Outcome } from '../std/outcome.ts';

/**
 * `${VAR}` and `${VAR:-default}` inside values. The default also stands in for an empty variable, as in a shell. `$${` is a
 * literal `${`; any other `$` is just a dollar. What a variable holds is never looked through again: text from the
 * environment must not be able to name another variable.
 */
export interface Substituted {
  readonly text: string;
  /** The first variable whose content is in `text`; null when there is none. */
  readonly variable: string | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

export function substitute(text: string, env: Environment): Outcome<Substituted, string> {
  let result = '';
  let variable: string | null = null;
  let at = 0;
  for (;;) {
    const open = text.indexOf('${', at);
    if (open === -1) return done({ text: result + text.slice(at), variable });
    if (open > at && text[open - 1] === '$') {
      result += `${text.slice(at, open - 1)}\${`;
      at = open + 2;
      continue;
    }
    const close = text.indexOf('}', open);
    if (close === -1) return failed('has a ${ that is never closed; write $${ where the text itself is meant');
    const match = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(text.slice(open + 2, close));
    if (match === null)
      return failed('has a ${...} that is neither ${VAR} nor ${VAR:-default}; write $${ where the text itself is meant');
    const [, name = '', fallback] = match;
    if (fallback?.includes('${') === true) return failed(`has a \${ inside the default of \${${name}}, which is not possible`);
    const set = Object.hasOwn(env, name) ? env[name] : undefined;
    const value = fallback !== undefined && (set === undefined || set === '') ? fallback : set;
    if (value === undefined)
      return failed(`needs \${${name}}, which is not set in the environment; \${${name}:-default} would do without`);
    if (value !== fallback) variable ??= name;
    result += text.slice(at, open) + value;
    at = close + 1;
  }
}
