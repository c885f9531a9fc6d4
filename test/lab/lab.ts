import { readFileSync } from 'node:fs';
import type { EngineSpec } from './engine.ts';
import type { Foothold } from './foothold.ts';
import type { Namespaces } from './namespaces.ts';

/**
 * What a program in the lab finds there. The record lies in the lab's own /run, which nobody outside can see, so that a test
 * that was started outside never meets the user's Docker by mistake.
 */
export interface Lab {
  /** Its socket is where every program looks first: /var/run/docker.sock. A manager, and the Swarm's only node. */
  readonly engine: EngineSpec;
  /** An attachable overlay. */
  readonly network: string;
  /** Ids. `base` is node:24-bookworm-slim, `agent` listens on PORT (8080) and answers with its environment. */
  readonly images: { readonly base: string; readonly agent: string };
  readonly foothold: Foothold;
  /** `http://127.0.0.1:PORT`: for image builds, leads to the package registry and nowhere else. */
  readonly proxy: string;
  readonly registry: string;
  /** Of the machine around the lab. */
  readonly outside: Namespaces;
}

export const LAB_RUN = '/run/reveille-lab';
export const LAB_FILE = `${LAB_RUN}/lab.json`;

export function lab(): Lab {
  const found = labOrNull();
  if (found === null) throw new Error('This runs in the lab only: `npm test swarm`, or `npm run lab -- <command>`.');
  return found;
}

/** Null outside of a lab. */
export function labOrNull(): Lab | null {
  try {
    return JSON.parse(readFileSync(LAB_FILE, 'utf8')) as Lab;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
