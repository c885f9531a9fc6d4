import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { bench, reveille } from './reveille.ts';
import { reply } from './stub-daemon.ts';
import { HEALTH } from './views.ts';

const stub = bench();

describe('which daemon, and as whom', () => {
  const config = (text = ''): string => {
    const file = join(stub.directory, 'o.yaml');
    writeFileSync(
      file,
      `admin_listen: "${new URL(stub.url).host}"\nlisten: ":1"\n${text}\nagents:\n  kai: { hostname: k, process: { command: [x] } }\n`,
    );
    return file;
  };
  beforeEach(() => stub.daemon.answers.set('GET /admin/health', reply(HEALTH)));

  test('the local one, with the token that it has made', async () => {
    const file = config('state_dir: state');
    expect(await reveille(['token', 'kai', '--config', file], {})).toMatchObject({ exit: 0 });
    writeFileSync(join(stub.directory, 'state/admin_token'), 'made\n', { mode: 0o600 });
    expect(await reveille(['status', '--config', file], {})).toMatchObject({ exit: 0 });
    const alias = stub.url.replace('127.0.0.1', 'localhost');
    expect(await reveille(['status', '--config', file, '--admin', alias], {})).toMatchObject({
      exit: expect.any(Number) as number,
    });
    expect(stub.daemon.authorizations[0]).toBe('Bearer made');
  });

  test('the local one, with the token of its config', async () => {
    await reveille(['status', '--config', config('admin_token: written')], {});
    await reveille(['status', '--config', config('admin_token: "${T}"')], { T: 'variable' });
    writeFileSync(join(stub.directory, 'token'), 'filed');
    await reveille(['status', '--config', config('admin_token_file: token')], {});
    expect(stub.daemon.authorizations).toEqual(['Bearer written', 'Bearer variable', 'Bearer filed']);
  });

  test('flags come before the environment, and that before the config', async () => {
    const file = config('admin_token: config');
    const env = { REVEILLE_ADMIN_TOKEN: 'env' };
    writeFileSync(join(stub.directory, 'token'), 'file');
    await reveille(['status', '--config', file], env);
    await reveille(['status', '--config', file, '--token-file', join(stub.directory, 'token')], env);
    await reveille(['status', '--config', file, '--token', 'flag'], env);
    expect(stub.daemon.authorizations).toEqual(['Bearer env', 'Bearer file', 'Bearer flag']);
  });

  test('the local token is not sent to another daemon', async () => {
    const file = join(stub.directory, 'o.yaml');
    writeFileSync(file, 'admin_listen: "127.0.0.1:9"\nadmin_token: sesame\nagents: {}\n');
    await reveille(['status', '--config', file, '--admin', stub.url], {});
    expect(stub.daemon.authorizations).toEqual([undefined]);
  });

  test('a path in front of the internal port is kept', async () => {
    stub.daemon.answers.set('GET /fleet/admin/health', reply(HEALTH));
    expect(await reveille(['status', '--admin', `${stub.url}/fleet/`, '--token', 'x'], {})).toMatchObject({ exit: 0 });
  });

  test('a config with mistakes still leads to its daemon, which goes on with the one before', async () => {
    const file = config('admin_token: written\nnonsense: 1');
    const { exit, out, err } = await reveille(['status', '--config', file], {});
    expect({ exit, err }).toEqual({
      exit: 0,
      err: `reveille: ${file} has mistakes, \`reveille check\` lists them; the daemon goes on with what it had before`,
    });
    expect(out).toContain('status');
    expect(stub.daemon.authorizations).toEqual(['Bearer written']);
  });

  test('a config that leads nowhere is a mistake', async () => {
    const file = join(stub.directory, 'o.yaml');
    writeFileSync(file, 'admin_listen: [1]\nagent: {}\n');
    const { exit, err } = await reveille(['status', '--config', file], {});
    expect(exit).toBe(78);
    expect(err).toContain(`${file}:2:1: agent is not a known key; the nearest known one is agents`);
  });
});
