import { resolve } from 'node:path';
import { EnvironmentError, type Variables, given } from '../kit/environment.ts';

/** What membus is told beyond what every agent is (agents/kit/environment.ts). */
export interface Settings {
  /** Where clients of memcached connect: MEMBUS_HOST and MEMBUS_PORT. Port 0 lets the system choose. */
  readonly host: string;
  readonly port: number;
  /** MEMBUS_FILE, absolute. */
  readonly file: string;
  /** MEMBUS_MEMORY_MB, in bytes. */
  readonly bytesMax: number;
}

const PORT = 11311;
const FILE = '.reveille/membus.sqlite';
const MEMORY_MB = 64;
/** So that the largest item fits beside a smaller one; and so that loading all of it takes seconds, not minutes. */
const MEMORY_MB_MIN = 2;
const MEMORY_MB_MAX = 4096;

/** `host` is where the agent itself listens. Throws an {@link EnvironmentError} that names the first wrong variable. */
export function readSettings(variables: Variables, host: string): Settings {
  return {
    host: given(variables, 'MEMBUS_HOST') ?? host,
    port: integer(variables, 'MEMBUS_PORT', PORT, 0, 65535),
    file: resolve(given(variables, 'MEMBUS_FILE') ?? FILE),
    bytesMax: integer(variables, 'MEMBUS_MEMORY_MB', MEMORY_MB, MEMORY_MB_MIN, MEMORY_MB_MAX) * 1024 * 1024,
  };
}

function integer(variables: Variables, name: string, fallback: number, min: number, max: number): number {
  const text = given(variables, name);
  if (text === null) return fallback;
  const value = /^[0-9]{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new EnvironmentError(`${name} is ${JSON.stringify(text)}; it must be a whole number from ${min} to ${max}`);
}
