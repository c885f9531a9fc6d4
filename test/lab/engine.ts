import { spawn } from 'node:child_process';
import { mkdirSync, openSync, closeSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isAlive } from '../support/marked-processes.ts';
import { runProgram } from './run-program.ts';

/**
 * A Docker engine of the lab's own: its data in the scratch directory, its sockets and pid below the lab's private /run, its
 * cgroups under one parent. Nothing of the machine's Docker is read, not even its settings. It is started and ended by what
 * this record says, so that a test in another process can restart it, and a second one needs another name and no more.
 */
export interface EngineSpec {
  /** Also the node's name in a Swarm. */
  readonly name: string;
  readonly socket: string;
  /** Of its data and its log. */
  readonly directory: string;
  readonly runDirectory: string;
  readonly cgroupParent: string;
  /** A network namespace's file, as `/run/netns/two`; null for the lab's own. */
  readonly networkNamespace: string | null;
}

const START_LIMIT_MS = 240_000;
const STOP_LIMIT_MS = 240_000;
const LOG_TAIL_CHARS = 3000;

const pidFile = (spec: EngineSpec): string => join(spec.runDirectory, 'pid');
export const logFile = (spec: EngineSpec): string => join(spec.directory, 'dockerd.log');

/** The pid of the engine when it runs, else null. */
export function enginePid(spec: EngineSpec): number | null {
  try {
    const pid = Number(readFileSync(pidFile(spec), 'utf8'));
    return isAlive(pid) ? pid : null;
  } catch {
    return null;
  }
}

/** Resolves once it answers. */
export async function startEngine(spec: EngineSpec): Promise<void> {
  for (const directory of [spec.directory, spec.runDirectory, dirname(spec.socket)]) mkdirSync(directory, { recursive: true });
  const settings = join(spec.runDirectory, 'daemon.json');
  writeFileSync(settings, '{}');
  const flags = [
    `--config-file=${settings}`,
    `--host=unix://${spec.socket}`,
    `--data-root=${join(spec.directory, 'data')}`,
    `--exec-root=${join(spec.runDirectory, 'exec')}`,
    `--pidfile=${pidFile(spec)}`,
    `--cgroup-parent=${spec.cgroupParent}`,
    // With systemd the cgroups would be units of the machine's own systemd.
    '--exec-opt=native.cgroupdriver=cgroupfs',
  ];
  const place = spec.networkNamespace === null ? [] : ['nsenter', `--net=${spec.networkNamespace}`];
  // A host name of its own: the Swarm names nodes by it.
  const named = ['unshare', '--uts', 'sh', '-c', `hostname ${spec.name} && exec dockerd "$@"`, 'sh'];
  const [program = '', ...args] = [...place, ...named, ...flags];
  const log = openSync(logFile(spec), 'a');
  // In a session of its own: Ctrl-C is for who started the lab, and a test that restarts the engine may end before it does.
  const child = spawn(program, args, { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  child.unref();
  let failure: string | null = null;
  child.once('error', (error) => (failure = error.message));
  child.once('exit', (code, signal) => (failure = `it ended with ${signal ?? String(code)}`));
  const deadline = performance.now() + START_LIMIT_MS;
  while (!(await answers(spec.socket))) {
    if (performance.now() >= deadline) failure = 'it does not answer';
    if (failure !== null) throw new Error(`The engine ${spec.name} did not start: ${failure}\n${logTail(spec)}`);
    await pause(20);
  }
}

/** SIGTERM, which ends its containers too, unless another signal is given. Resolves once it is gone. */
export async function stopEngine(spec: EngineSpec, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  const pid = enginePid(spec);
  if (pid === null) return;
  process.kill(pid, signal);
  const deadline = performance.now() + STOP_LIMIT_MS;
  while (isAlive(pid)) {
    if (performance.now() >= deadline) throw new Error(`The engine ${spec.name} did not stop.\n${logTail(spec)}`);
    await pause(20);
  }
}

/** Runs the `docker` command against this engine. Resolves to what it printed, trimmed. */
export function docker(spec: Pick<EngineSpec, 'socket'>, ...args: readonly string[]): Promise<string> {
  return runProgram(['docker', '--host', `unix://${spec.socket}`, ...args]);
}

export const logTail = (spec: EngineSpec): string => readFileSync(logFile(spec), 'utf8').slice(-LOG_TAIL_CHARS);

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/_ping', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on('error', () => resolve(false));
    asked.end();
  });
}
