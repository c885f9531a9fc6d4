/**
 * What an agent is told when it is started (contract section 4), read once and checked, so that a typing error in a stack
 * file is one clear line at the start and not a strange failure an hour later. Without REVEILLE_URL there is no daemon and
 * the agent runs alone.
 */
export interface Environment {
  /** 0 lets the system choose. */
  readonly port: number;
  readonly host: string;
  /** Base of the internal port, without trailing slash; null when there is no daemon. */
  readonly daemonUrl: string | null;
  readonly agent: string | null;
  readonly task: TaskIdentity | null;
}

/** Which of the agent's tasks this process is. */
export interface TaskIdentity {
  readonly id: string;
  readonly slot: number;
  readonly name: string;
}

export type Variables = Readonly<Record<string, string | undefined>>;

/** The environment is wrong; the message names the variable and what it should be. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
}

/** The value of a variable; null when it is not set or empty, which is the same in stack files. */
export const given = (variables: Variables, name: string): string | null =>
  variables[name] === '' ? null : (variables[name] ?? null);

const PORT_ALONE = 3000;

/** Throws an {@link EnvironmentError} that names the first wrong variable. */
export function readEnvironment(variables: Variables): Environment {
  const task = given(variables, 'REVEILLE_TASK_ID');
  return {
    port: integer(variables, 'PORT', PORT_ALONE, 65535),
    host: given(variables, 'HOST') ?? '127.0.0.1',
    daemonUrl: daemonUrl(given(variables, 'REVEILLE_URL')),
    agent: given(variables, 'REVEILLE_AGENT'),
    task:
      task === null
        ? null
        : {
            id: task,
            slot: integer(variables, 'REVEILLE_TASK_SLOT', 1, 1_000_000),
            name: given(variables, 'REVEILLE_TASK_NAME') ?? task,
          },
  };
}

function integer(variables: Variables, name: string, fallback: number, max: number): number {
  const text = given(variables, name);
  if (text === null) return fallback;
  const value = /^[0-9]{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= max)) throw new EnvironmentError(`${name} is ${JSON.stringify(text)}; it must be a whole number up to ${max}`);
  return value;
}

function daemonUrl(text: string | null): string | null {
  if (text === null) return null;
  const url = URL.parse(text);
  // A name and password in the URL would end up in error messages of fetch.
  const plain = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  if (!plain || url.search !== '' || url.hash !== '') {
    throw new EnvironmentError('REVEILLE_URL must be an http URL without user, query or fragment');
  }
  return url.href.replace(/\/+$/, '');
}
