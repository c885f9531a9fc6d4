import { readFileSync } from 'node:fs';
import { EnvironmentError, type Variables, given } from './environment.ts';

/** Where a Swarm secret of this name is mounted. */
const SECRET_FILE = '/run/secrets/reveille_token';
/** RFC 6750 section 2.1: what a bearer token may be made of. */
const TOKEN = /^[A-Za-z0-9._~+/-]{1,4096}=*$/;

/**
 * The agent's token: REVEILLE_TOKEN, else the file that REVEILLE_TOKEN_FILE names, else the Swarm secret. Null when there is
 * none. A file that was named must exist; the secret need not. No message ever quotes what was read.
 */
export function readToken(variables: Variables, secretFile: string = SECRET_FILE): string | null {
  const token = given(variables, 'REVEILLE_TOKEN');
  if (token !== null) return checked(token, 'REVEILLE_TOKEN');
  const named = given(variables, 'REVEILLE_TOKEN_FILE');
  const file = named ?? secretFile;
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    if (named === null && code === 'ENOENT') return null;
    throw new EnvironmentError(`the token file ${file} cannot be read: ${code}`);
  }
  return checked(content, file);
}

function checked(content: string, source: string): string {
  const token = content.trim();
  if (!TOKEN.test(token)) throw new EnvironmentError(`${source} holds no bearer token: one word of visible ASCII is wanted`);
  return token;
}
