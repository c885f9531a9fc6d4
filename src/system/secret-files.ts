import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { AgentConfig, Config } from '../contract/config.ts';
import { done, failed, type Outcome } from '../std/outcome.ts';

/**
 * Who may speak to the daemon, and the files that say so. Failures are sentences that name the path and never what is in it.
 * Files that are made here appear whole or not at all: they are written under another name and then linked, which fails where
 * there is one already. Renaming would be atomic as well, but of two first starts the second would replace the token that the
 * first has printed.
 */
export interface Secret<T> {
  readonly value: T;
  /** Where it is, for the start-up line: a path, or `admin_token`. */
  readonly source: string;
  /** Sentences for the operator; it works all the same. */
  readonly warnings: readonly string[];
}

/** What a key for HMAC-SHA256 should have, and the least that is taken from a file of the operator's own. */
const SECRET_BYTES = 32;
const SECRET_BYTES_MIN = 16;
const FILE_BYTES_MAX = 4096;

/** The operator's token: `admin_token`, else `admin_token_file`, else state_dir/admin_token, made where it is missing. */
export function adminToken(config: Config): Outcome<Secret<string>, string> {
  if (config.admin_token !== undefined) return done({ value: config.admin_token, source: 'admin_token', warnings: [] });
  if (config.admin_token_file !== undefined) return tokenFile(config.admin_token_file);
  const path = adminTokenPath(config);
  const made = createOnce(path, `${randomBytes(SECRET_BYTES).toString('base64url')}\n`);
  return made.ok ? tokenFile(path, constants.O_NOFOLLOW) : made;
}

/** Where the daemon keeps an operator's token of its own making. */
export const adminTokenPath = (config: Config): string => join(config.state_dir, 'admin_token');

/** What agent tokens are derived from: `secret_file`, else state_dir/secret, made where it is missing. Bytes as they are. */
export function daemonSecret(config: Config): Outcome<Secret<Buffer>, string> {
  const own = config.secret_file === null;
  const path = config.secret_file ?? join(config.state_dir, 'secret');
  const made = own ? createOnce(path, randomBytes(SECRET_BYTES)) : done(null);
  if (!made.ok) return made;
  const read = readLimited(path, own ? constants.O_NOFOLLOW : 0);
  if (!read.ok) return read;
  const { bytes, warnings } = read.value;
  if (bytes.length < SECRET_BYTES_MIN) {
    return failed(`${path} is too short for a secret: it must hold at least ${SECRET_BYTES_MIN} bytes, better ${SECRET_BYTES}`);
  }
  return done({ value: bytes, source: path, warnings });
}

/** The token of one agent: `token_file`, else derived, so that it is the same wherever the secret is. */
export function agentToken(
  name: string,
  agent: Pick<AgentConfig, 'token_file'>,
  secret: Buffer,
): Outcome<Secret<string>, string> {
  if (agent.token_file !== null) return tokenFile(agent.token_file);
  return done({
    value: createHmac('sha256', secret).update(`agent:${name}`).digest('base64url'),
    source: 'secret',
    warnings: [],
  });
}

/** A token that somebody wrote into a file, white space around it taken off. */
export function tokenFile(path: string, flags = 0): Outcome<Secret<string>, string> {
  const read = readLimited(path, flags);
  if (!read.ok) return read;
  const value = read.value.bytes.toString('latin1').trim();
  if (value === '') return failed(`${path} is empty; it must hold a token`);
  // A header takes no others (RFC 9110 section 5.5), so such a token could never be sent.
  if (!/^[!-~]+$/.test(value)) return failed(`${path} must hold one token of visible ASCII characters and nothing else`);
  return done({ value, source: path, warnings: read.value.warnings });
}

/**
 * Whether two tokens are the same. Both are hashed first: digests have one length, so neither the content nor the length of
 * the right one shows in the time this takes.
 */
export function sameToken(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b));
}

/** Which agent a token belongs to. */
export class TokenBook {
  private readonly digests = new Map<string, Buffer>();

  /** Replaces the token that was known for this agent. */
  set(agent: string, token: string): void {
    this.digests.set(agent, digest(token));
  }

  delete(agent: string): void {
    this.digests.delete(agent);
  }

  /** Null when it is nobody's. Looks at every agent whether one was found or not: the time tells nothing about which. */
  agentOf(token: string): string | null {
    const wanted = digest(token);
    let found: string | null = null;
    for (const [agent, known] of this.digests) {
      const same = timingSafeEqual(known, wanted);
      found = same && found === null ? agent : found;
    }
    return found;
  }
}

const digest = (token: string): Buffer => createHash('sha256').update(token).digest();

/** Makes the file unless there is one. Afterwards there is a whole one, ours or another's. */
function createOnce(path: string, content: string | Buffer): Outcome<null, string> {
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  let drafted = false;
  try {
    // Usually there is one, perhaps where nothing may be written.
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return done(null);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const descriptor = openSync(draft, 'wx', 0o600);
    drafted = true;
    try {
      writeSync(descriptor, content as string);
      // Before the link: after a power failure the name must not be there without the content.
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    linkSync(draft, path);
    return done(null);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'EEXIST' ? done(null) : failed(`${path} cannot be made: ${reason(error)}`);
  } finally {
    if (drafted) unlinkSync(draft);
  }
}

function readLimited(
  path: string,
  flags: number,
): Outcome<{ readonly bytes: Buffer; readonly warnings: readonly string[] }, string> {
  let descriptor: number | null = null;
  try {
    descriptor = openSync(path, constants.O_RDONLY | flags);
    const buffer = Buffer.alloc(FILE_BYTES_MAX + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = readSync(descriptor, buffer, length, buffer.length - length, null);
    }
    if (length > FILE_BYTES_MAX) return failed(`${path} is larger than ${FILE_BYTES_MAX} bytes; that is no token and no secret`);
    return done({ bytes: buffer.subarray(0, length), warnings: modeWarnings(path, fstatSync(descriptor).mode) });
  } catch (error) {
    return failed(`${path} cannot be read: ${reason(error)}`);
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

/** Docker mounts secrets as 0444 into a container of their own; who can read them there is inside already. */
function modeWarnings(path: string, mode: number): string[] {
  const isFile = (mode & constants.S_IFMT) === constants.S_IFREG;
  if (!isFile || path.startsWith('/run/secrets/') || (mode & 0o077) === 0) return [];
  return [`${path} can be read or written by other users; run: chmod 600 ${path}`];
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of its path is not a directory',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied',
  EPERM: 'the operation is not permitted there (the file system may lack hard links)',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  ELOOP: 'it is a symbolic link where a file is wanted, or there are too many of them',
};

/** Throws what is no answer of the system's: that would be a mistake of ours. */
function reason(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  return REASONS[code] ?? `system error ${code}`;
}
