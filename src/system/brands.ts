import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { ACCENT, type AgentConfig, type Config } from '../contract/config.ts';
import type { Log } from '../ports/log.ts';
import { done, failed, type Outcome } from '../std/outcome.ts';

/**
 * How the waiting pages of agents look, with their logos read, so that a page needs no file when it is wanted. A logo is
 * decoration: one that is not there, or is no picture, is said in the log and left out, and never stands in the way of
 * a config or an answer.
 */
interface Brand {
  readonly title: string;
  readonly logo: string | null;
  readonly accent: string;
}

export const LOGO_BYTES_MAX = 64 * 1024;

/** By how their content begins: the end of a name says what somebody meant it to be. SVG is told by its element. */
const PICTURES: readonly (readonly [type: string, begins: RegExp])[] = [
  ['image/png', /^\x89PNG\r\n\x1a\n/],
  ['image/jpeg', /^\xff\xd8\xff/],
  ['image/gif', /^GIF8[79]a/],
  ['image/webp', /^RIFF[^]{4}WEBP/],
  ['image/svg+xml', /^(?:\xef\xbb\xbf)?\s*<(?:[?!][^]*<)?svg[\s>]/],
];

export class Brands {
  private brands = new Map<string, Brand>();
  private readonly log: Log;

  constructor(log: Log) {
    this.log = log;
  }

  /** Takes a config over, and reads its logos. */
  learn(config: Config): void {
    this.brands = new Map(Object.entries(config.agents).map(([name, agent]) => [name, this.brandOf(name, agent)]));
  }

  /** An agent that is in no file has no page of its own making. */
  of(agent: string): Brand {
    return this.brands.get(agent) ?? { title: agent, logo: null, accent: ACCENT };
  }

  private brandOf(name: string, { page }: AgentConfig): Brand {
    const { title, accent } = page;
    const read = page.logo === null ? done(null) : logoUri(page.logo);
    if (!read.ok) this.log.warn('logo is left out of the waiting page', { agent: name, detail: read.failure });
    return { title: title ?? name, logo: read.ok ? read.value : null, accent };
  }
}

/** A picture as a `data:` URI, or why it is none. */
export function logoUri(path: string): Outcome<string, string> {
  const read = readLimited(path);
  if (!read.ok) return read;
  const begin = read.value.toString('latin1', 0, 4096);
  const type = PICTURES.find(([, begins]) => begins.test(begin))?.[0];
  if (type === undefined) return failed(`${path} is no SVG, PNG, JPEG, WebP or GIF`);
  return done(`data:${type};base64,${read.value.toString('base64')}`);
}

function readLimited(path: string): Outcome<Buffer, string> {
  let descriptor: number | null = null;
  try {
    // Without O_NONBLOCK a named pipe would wait for somebody to write into it, and the daemon with it.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!fstatSync(descriptor).isFile()) return failed(`${path} is no regular file`);
    const buffer = Buffer.alloc(LOGO_BYTES_MAX + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = readSync(descriptor, buffer, length, buffer.length - length, null);
    }
    if (length > LOGO_BYTES_MAX) return failed(`${path} is larger than 64 KB`);
    return done(buffer.subarray(0, length));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return failed(`${path} cannot be read: ${code === 'ENOENT' ? 'there is no such file' : code}`);
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}
