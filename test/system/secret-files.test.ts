import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Config } from '../../src/contract/config.ts';
import { adminToken, agentToken, daemonSecret, sameToken, TokenBook, tokenFile } from '../../src/system/secret-files.ts';

let directory = '';
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'reveille-secret-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const state = (): string => join(directory, 'state');
const configOf = (more: Partial<Config> = {}): Config => ({ state_dir: state(), secret_file: null, ...more }) as Config;

function valueOf<T>(outcome: { ok: true; value: { value: T } } | { ok: false; failure: string }): T {
  if (!outcome.ok) throw new Error(outcome.failure);
  return outcome.value.value;
}

test('the first start makes a token and a secret that only their owner may read, and later starts keep them', () => {
  const token = valueOf(adminToken(configOf()));
  const secret = valueOf(daemonSecret(configOf()));
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(secret).toHaveLength(32);
  expect(readFileSync(join(state(), 'admin_token'), 'utf8')).toBe(`${token}\n`);
  expect(statSync(state()).mode & 0o777).toBe(0o700);
  for (const name of ['admin_token', 'secret']) expect(statSync(join(state(), name)).mode & 0o777).toBe(0o600);
  expect(readdirSync(state()).sort()).toEqual(['admin_token', 'secret']);
  expect(valueOf(adminToken(configOf()))).toBe(token);
  expect(valueOf(daemonSecret(configOf()))).toEqual(secret);
});

test('two first starts at once end with the same token', async () => {
  const code = `import { adminToken, daemonSecret } from ${JSON.stringify(join(import.meta.dirname, '../../src/system/secret-files.ts'))};
    const config = { state_dir: ${JSON.stringify(state())}, secret_file: null };
    console.log(adminToken(config).value.value, daemonSecret(config).value.value.toString('hex'));`;
  const starts = Array.from({ length: 6 }, () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', code]));
  const tokens = new Set((await Promise.all(starts)).map((start) => start.stdout));
  expect(tokens.size).toBe(1);
  expect(readdirSync(state()).sort()).toEqual(['admin_token', 'secret']);
});

test('a token in the config file comes before one in a file', () => {
  expect(adminToken(configOf({ admin_token: 'sesame' }))).toEqual({
    ok: true,
    value: { value: 'sesame', source: 'admin_token', warnings: [] },
  });
  writeFileSync(join(directory, 'token'), '  from-a-file \r\n', { mode: 0o600 });
  const path = join(directory, 'token');
  expect(adminToken(configOf({ admin_token_file: path }))).toEqual({
    ok: true,
    value: { value: 'from-a-file', source: path, warnings: [] },
  });
});

test('the token of an agent is HMAC-SHA256 of its name, unless a file says otherwise', () => {
  const secret = Buffer.from('0123456789abcdef0123456789abcdef');
  const expected = createHmac('sha256', secret)
    .update('agent:kai')
    .digest('base64')
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
  expect(valueOf(agentToken('kai', { token_file: null }, secret))).toBe(expected);
  const path = join(directory, 'kai');
  writeFileSync(path, 'own\n', { mode: 0o600 });
  expect(valueOf(agentToken('kai', { token_file: path }, secret))).toBe('own');
});

test('a file that others may read is used with a warning that says what to do', () => {
  const path = join(directory, 'wide');
  writeFileSync(path, 'token');
  chmodSync(path, 0o640);
  expect(tokenFile(path)).toEqual({
    ok: true,
    value: { value: 'token', source: path, warnings: [`${path} can be read or written by other users; run: chmod 600 ${path}`] },
  });
});

test('a link that stands where the daemon makes its own files is not followed', () => {
  mkdirSync(state());
  writeFileSync(join(directory, 'elsewhere'), 'planted', { mode: 0o600 });
  symlinkSync(join(directory, 'elsewhere'), join(state(), 'admin_token'));
  symlinkSync(join(directory, 'nowhere'), join(state(), 'secret'));
  for (const outcome of [adminToken(configOf()), daemonSecret(configOf())]) {
    expect(outcome).toMatchObject({ ok: false, failure: expect.stringContaining('it is a symbolic link') as string });
  }
  expect(readdirSync(directory).sort()).toEqual(['elsewhere', 'state']);
});

test('what cannot be used is refused with its path and without its content', () => {
  const path = (name: string, content: string | Buffer): string => {
    writeFileSync(join(directory, name), content, { mode: 0o600 });
    return join(directory, name);
  };
  mkdirSync(join(directory, 'folder'));
  const empty = path('empty', ' \n');
  const words = path('words', 'open sesame');
  const bytes = path('bytes', Buffer.from([0x61, 0xc3, 0xa9]));
  const large = path('large', 'sesame'.repeat(1000));
  const short = path('short', 'sesame');
  const file = path('file', '');
  const failure = (outcome: { ok: boolean; failure?: string }): string => outcome.failure ?? 'none';
  expect(failure(adminToken(configOf({ admin_token_file: empty })))).toBe(`${empty} is empty; it must hold a token`);
  for (const bad of [words, bytes]) {
    expect(failure(tokenFile(bad))).toBe(`${bad} must hold one token of visible ASCII characters and nothing else`);
  }
  expect(failure(tokenFile(large))).toBe(`${large} is larger than 4096 bytes; that is no token and no secret`);
  expect(failure(tokenFile(join(directory, 'none')))).toBe(`${directory}/none cannot be read: there is no such file`);
  expect(failure(tokenFile(join(directory, 'folder')))).toBe(`${directory}/folder cannot be read: it is a directory`);
  expect(failure(daemonSecret(configOf({ secret_file: short })))).toBe(
    `${short} is too short for a secret: it must hold at least 16 bytes, better 32`,
  );
  expect(failure(daemonSecret(configOf({ secret_file: join(directory, 'none') })))).toContain('there is no such file');
  expect(failure(adminToken(configOf({ state_dir: join(file, 'state') })))).toBe(
    `${file}/state/admin_token cannot be made: a part of its path is not a directory`,
  );
});

test('an empty file left in state_dir is refused and not filled', () => {
  mkdirSync(state());
  writeFileSync(join(state(), 'admin_token'), '', { mode: 0o600 });
  expect(adminToken(configOf())).toEqual({ ok: false, failure: `${state()}/admin_token is empty; it must hold a token` });
});

test('tokens are the same only when every character is', () => {
  expect(sameToken('abc', 'abc')).toBe(true);
  for (const other of ['abd', 'ab', 'abcd', '', 'ABC']) expect(sameToken('abc', other)).toBe(false);
});

test('a token leads to its agent, and to nobody once it was replaced or taken away', () => {
  const book = new TokenBook();
  book.set('a', 'one');
  book.set('b', 'two');
  expect([book.agentOf('one'), book.agentOf('two'), book.agentOf('three'), book.agentOf('')]).toEqual(['a', 'b', null, null]);
  book.set('a', 'three');
  book.delete('b');
  expect([book.agentOf('one'), book.agentOf('two'), book.agentOf('three')]).toEqual([null, null, 'a']);
});
