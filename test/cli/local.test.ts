import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bench, reveille, toStub } from './reveille.ts';

const stub = bench();

describe('check', () => {
  test('a file that is right', async () => {
    const file = join(stub.directory, 'o.yaml');
    writeFileSync(file, 'agents: { kai: { hostname: k, process: { command: [x] } } }');
    expect(await reveille(['check', file], toStub(stub))).toMatchObject({
      exit: 0,
      out: `${file} is right: engine process, 1 agent`,
      err: '',
    });
    expect(await reveille(['check', '--config', file], toStub(stub))).toMatchObject({ exit: 0 });
    expect(JSON.parse((await reveille(['check', file, '--json'], toStub(stub))).out)).toEqual({
      file,
      valid: true,
      complaints: [],
    });
  });

  test('a file with mistakes, and none at all', async () => {
    const file = join(stub.directory, 'o.yaml');
    writeFileSync(file, 'listen: 1\nagents: 2\n');
    const { exit, out, err } = await reveille(['check', file], toStub(stub));
    expect([exit, out]).toEqual([78, '']);
    expect(err.split('\n').map((line) => line.slice(0, file.length + 5))).toEqual([`${file}:1:9:`, `${file}:2:9:`]);
    const json = JSON.parse((await reveille(['check', file, '--json'], toStub(stub))).out) as {
      valid: boolean;
      complaints: unknown[];
    };
    expect([json.valid, json.complaints.length]).toEqual([false, 2]);
    expect(await reveille(['check', join(stub.directory, 'none')], {})).toMatchObject({
      exit: 78,
      err: `${stub.directory}/none:1:1: there is no such file`,
    });
  });
});

describe('token', () => {
  const file = (): string => {
    writeFileSync(
      join(stub.directory, 'o.yaml'),
      'secret_file: secret\nagents:\n  kai: { hostname: k, process: { command: [x] } }\n  own: { hostname: o, token_file: own, process: { command: [x] } }\n',
    );
    writeFileSync(join(stub.directory, 'secret'), '0123456789abcdef0123456789abcdef', { mode: 0o600 });
    writeFileSync(join(stub.directory, 'own'), 'own-token\n', { mode: 0o600 });
    return join(stub.directory, 'o.yaml');
  };

  test('is printed without asking any daemon', async () => {
    const config = file();
    // printf agent:kai | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef -binary | basenc --base64url | tr -d =
    const kai = 'DmVlIw2oWf5puHhtheIThTGSG2S9Aix0RDF69lox6_Y';
    expect((await reveille(['token', 'kai', '--config', config], {})).out).toBe(kai);
    expect(JSON.parse((await reveille(['token', 'own', '--config', config, '--json'], {})).out)).toEqual({
      agent: 'own',
      token: 'own-token',
    });
    expect(stub.daemon.asked).toEqual([]);
  });

  test('is not made up for an agent that does not exist', async () => {
    const config = file();
    expect(await reveille(['token', 'kia', '--config', config], {})).toMatchObject({
      exit: 1,
      out: '',
      err: `reveille: there is no agent "kia" in ${config}\n  Did you mean kai?\n  If it was made with POST /admin/agents, say --made-by-api.`,
    });
    expect((await reveille(['token', 'kia', '--config', config, '--made-by-api'], {})).out).toMatch(/^[\w-]{43}$/);
  });

  test('comes from a secret that is made where there is none', async () => {
    const config = join(stub.directory, 'o.yaml');
    writeFileSync(config, 'state_dir: state\nagents: { kai: { hostname: k, process: { command: [x] } } }');
    const first = await reveille(['token', 'kai', '--config', config], {});
    expect(await reveille(['token', 'kai', '--config', config], {})).toMatchObject({ exit: 0, out: first.out });
    expect(statSync(join(stub.directory, 'state/secret')).mode & 0o777).toBe(0o600);
  });

  test('is refused with 78 where the config is broken', async () => {
    expect(await reveille(['token', 'kai', '--config', join(stub.directory, 'none')], {})).toMatchObject({ exit: 78 });
  });
});
