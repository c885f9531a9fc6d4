import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Task, Workload } from '../../src/ports/engine.ts';
import { ProcessEngine, type ProcessEngineOptions } from '../../src/process/engine.ts';
import { PortPool } from '../../src/process/ports.ts';
import { assert } from '../../src/std/assert.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { RecordingWatcher } from '../support/recording-watcher.ts';
import { ScaledClock } from '../support/scaled-clock.ts';

/** A process engine on a state_dir of its own, with everything that a test wants to look at. */
export interface Rig {
  readonly engine: ProcessEngine;
  readonly watcher: RecordingWatcher;
  readonly log: RecordingLog;
  readonly clock: ScaledClock;
  readonly stateDir: string;
  /** Another engine on the same state_dir, as after a restart of the daemon. */
  again(): Rig;
  dispose(): Promise<void>;
}

export interface RigOptions extends Partial<ProcessEngineOptions> {
  readonly speed?: number;
}

export function makeRig(options: RigOptions = {}): Rig {
  const stateDir = options.stateDir ?? mkdtempSync(join(tmpdir(), 'reveille-process-'));
  const clock = new ScaledClock(options.speed);
  const log = new RecordingLog();
  const watcher = new RecordingWatcher();
  const engine = new ProcessEngine({
    clock,
    log,
    stateDir,
    host: '127.0.0.1',
    reveilleUrl: () => 'http://127.0.0.1:9180',
    reservedPorts: () => ({ own: new Set(), fixed: new Set() }),
    ...options,
  });
  return {
    engine,
    watcher,
    log,
    clock,
    stateDir,
    again: () => makeRig({ ...options, stateDir }),
    dispose: async () => {
      await engine.close(0).catch(() => undefined);
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

export const AGENT_FILE = join(import.meta.dirname, '../engine/agent.ts');

/** An on-demand agent `kai` of this command, unless told otherwise. */
export function workload(
  command: readonly string[],
  parts: Partial<Workload> & { readonly env?: Record<string, string> } = {},
): Workload {
  const { env = {}, ...rest } = parts;
  return {
    agent: 'kai',
    policy: 'on-demand',
    replicas: 1,
    process: { command, cwd: import.meta.dirname, env, port: null, token: 'kai-token' },
    swarm: null,
    ...rest,
  };
}

/** A program of one line, run by the Node that runs the tests. */
export const script = (source: string): readonly string[] => ['node', '--eval', source];

/** Resolves with a line of output of the task (any task, when none is given) that contains `text`. */
export async function output(log: RecordingLog, text: string, task?: Task): Promise<string> {
  const found = await log.line(
    ({ message, facts }) =>
      message === 'agent output' && String(facts['line']).includes(text) && (task === undefined || facts['task'] === task.id),
  );
  return String(found.facts['line']);
}

/** A stranger: listens until the end of the test. */
export async function listenOn(port = 0, host = '127.0.0.1'): Promise<number> {
  const server = createServer((socket) => socket.destroy());
  server.listen(port, host);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** One that nobody listens on, below those that any connection may be given meanwhile. */
export async function freePort(): Promise<number> {
  const pool = new PortPool('127.0.0.1', () => ({ own: new Set(), fixed: new Set() }));
  const port = await pool.take(null);
  assert(port.ok, 'some port is free');
  pool.free(port.value);
  return port.value;
}
