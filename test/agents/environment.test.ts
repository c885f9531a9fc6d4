import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EnvironmentError, readEnvironment } from '../../agents/kit/environment.ts';
import { readToken } from '../../agents/kit/token.ts';

describe('the environment of an agent', () => {
  it('is what the daemon gives its children', () => {
    const environment = readEnvironment({
      PORT: '4321',
      HOST: '0.0.0.0',
      REVEILLE_URL: 'http://127.0.0.1:9180',
      REVEILLE_AGENT: 'kai',
      REVEILLE_TASK_ID: 'abc',
      REVEILLE_TASK_SLOT: '2',
      REVEILLE_TASK_NAME: 'kai.2',
    });
    expect(environment).toEqual({
      port: 4321,
      host: '0.0.0.0',
      daemonUrl: 'http://127.0.0.1:9180',
      agent: 'kai',
      task: { id: 'abc', slot: 2, name: 'kai.2' },
    });
  });

  it('may be empty: the agent then runs alone, on this machine only', () => {
    expect(readEnvironment({ REVEILLE_URL: '', HOST: '' })).toEqual({
      port: 3000,
      host: '127.0.0.1',
      daemonUrl: null,
      agent: null,
      task: null,
    });
  });

  it('loses the trailing slashes of REVEILLE_URL, since paths are put behind it', () => {
    expect(readEnvironment({ REVEILLE_URL: 'http://reveille:9180//' }).daemonUrl).toBe('http://reveille:9180');
  });

  it.each([
    [{ PORT: '65536' }, 'PORT'],
    [{ PORT: '-1' }, 'PORT'],
    [{ PORT: '0x50' }, 'PORT'],
    [{ PORT: ' 80' }, 'PORT'],
    [{ REVEILLE_TASK_ID: 'a', REVEILLE_TASK_SLOT: 'one' }, 'REVEILLE_TASK_SLOT'],
    [{ REVEILLE_URL: 'reveille:9180' }, 'REVEILLE_URL'],
    [{ REVEILLE_URL: 'not a url' }, 'REVEILLE_URL'],
    [{ REVEILLE_URL: 'http://h/?x=1' }, 'REVEILLE_URL'],
  ])('is refused by the name of the variable: %j', (variables, name) => {
    expect(() => readEnvironment(variables)).toThrow(EnvironmentError);
    expect(() => readEnvironment(variables)).toThrow(name);
  });

  it('never quotes a password in REVEILLE_URL', () => {
    expect(() => readEnvironment({ REVEILLE_URL: 'http://user:hunter2@h/' })).toThrow(/^REVEILLE_URL must be(?!.*hunter2)/);
  });
});

describe('the token of an agent', () => {
  const folder = mkdtempSync(join(tmpdir(), 'reveille-token-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const absent = join(folder, 'absent');

  it('comes from REVEILLE_TOKEN before any file', () => {
    expect(readToken({ REVEILLE_TOKEN: 'from-env', REVEILLE_TOKEN_FILE: file('a', 'from-file') }, absent)).toBe('from-env');
  });

  it('comes from REVEILLE_TOKEN_FILE before the Swarm secret, without the line end', () => {
    expect(readToken({ REVEILLE_TOKEN_FILE: file('b', 'from-file\r\n') }, file('c', 'secret'))).toBe('from-file');
  });

  it('comes from the Swarm secret where nothing was said', () => {
    expect(readToken({ REVEILLE_TOKEN: '' }, file('d', 'secret\n'))).toBe('secret');
  });

  it('is null where there is no secret, and an error where a named file is gone', () => {
    expect(readToken({}, absent)).toBeNull();
    expect(() => readToken({ REVEILLE_TOKEN_FILE: absent }, absent)).toThrow(`the token file ${absent} cannot be read: ENOENT`);
  });

  it.each(['', 'two words', 'line\nbreak', 'ümlaut'])(
    'is refused without being quoted when it is no bearer token: %j',
    (content) => {
      const path = file('e', content);
      expect(() => readToken({ REVEILLE_TOKEN_FILE: path }, absent)).toThrow(
        new EnvironmentError(`${path} holds no bearer token: one word of visible ASCII is wanted`),
      );
    },
  );
});
