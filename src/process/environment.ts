import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import type { Workload } from '../ports/engine.ts';
import { type Outcome, done, failed } from '../std/outcome.ts';

/**
 * What a child is started with. It inherits a short list and nothing else: the daemon's own environment may hold what
 * `${VAR}` in the config stands for, tokens among it. Whoever needs more says so in `process.env`.
 */
const INHERITED = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'LANGUAGE', 'TZ', 'TMPDIR'] as const;

export interface Program {
  /** Absolute. */
  readonly file: string;
  /** As the config writes it, which is what the program sees as its own name. */
  readonly name: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Without what belongs to one task only. */
  readonly env: Readonly<Record<string, string>>;
}

type ProcessWorkload = NonNullable<Workload['process']>;

/**
 * Finds the program before anything is started, so that a config that cannot work is refused instead of tried again and
 * again. Fails with words for an operator.
 */
export function findProgram(workload: ProcessWorkload, daemon: NodeJS.ProcessEnv): Outcome<Program, string> {
  const [name = '', ...args] = workload.command;
  const env = { ...inherited(daemon), ...workload.env };
  const obstacle = obstacleAt(workload.cwd);
  if (obstacle !== null) return failed(`the working directory ${workload.cwd} ${obstacle}`);
  const file = locate(name, workload.cwd, env['PATH'] ?? '');
  if (file === null) {
    const where = name.includes('/') ? '' : ' on PATH';
    return failed(`the command ${JSON.stringify(name)} is not there or not executable${where}`);
  }
  return done({ file, name, args, cwd: workload.cwd, env });
}

function inherited(daemon: NodeJS.ProcessEnv): Record<string, string> {
  const kept = Object.entries(daemon).filter(([name]) => INHERITED.some((each) => each === name) || name.startsWith('LC_'));
  return Object.fromEntries(kept.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

/**
 * A bare `node` is the Node that runs the daemon, whatever PATH says: agents written for it must not meet another one
 * because npm, a version switcher or systemd changed PATH. Whoever wants another Node writes its path.
 */
function locate(name: string, cwd: string, path: string): string | null {
  if (name === 'node') return process.execPath;
  if (name.includes('/')) return executable(resolve(cwd, name));
  for (const folder of path.split(delimiter)) {
    const found = name === '' || !isAbsolute(folder) ? null : executable(join(folder, name));
    if (found !== null) return found;
  }
  return null;
}

function executable(file: string): string | null {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile() ? file : null;
  } catch {
    return null;
  }
}

/** Why nobody can work in the directory, to follow its path. */
function obstacleAt(directory: string): string | null {
  try {
    return statSync(directory).isDirectory() ? null : 'is not a directory';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'is not there' : `cannot be entered (${String(code)})`;
  }
}

/** What one task is told about itself (contract section 4), and the mark by which what is left of it is found. */
export interface TaskIdentity {
  readonly agent: string;
  readonly id: string;
  readonly slot: number;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly token: string;
  readonly reveilleUrl: string;
  readonly owner: string;
}

export function taskEnvironment(task: TaskIdentity): Record<string, string> {
  return {
    PORT: String(task.port),
    HOST: task.host,
    REVEILLE_URL: task.reveilleUrl,
    REVEILLE_AGENT: task.agent,
    REVEILLE_TOKEN: task.token,
    REVEILLE_TASK_ID: task.id,
    REVEILLE_TASK_SLOT: String(task.slot),
    REVEILLE_TASK_NAME: task.name,
    REVEILLE_OWNER: task.owner,
  };
}

/** In the environment of everything that daemons of one state_dir start. */
export const ownerMark = (owner: string): string => `REVEILLE_OWNER=${owner}`;
export const taskMark = (taskId: string): string => `REVEILLE_TASK_ID=${taskId}`;
