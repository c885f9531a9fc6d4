import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { expect } from 'vitest';
import { it, program } from '../support/daemon.ts';

it('secrets are in no output, no argument and no environment where they do not belong', async ({ start }) => {
  const canary = (name: string): string => `canary-${name}-5d41402abc4b2a76`;
  const tells = program('test/blackbox/agents/trouble.ts', { TROUBLE: 'tells' });
  const daemon = await start(
    {
      admin_token: canary('admin'),
      log: { level: 'trace', requests: 'all' },
      agents: { plain: { process: tells, idle: { timeout: '1m' } } },
    },
    { CANARY_OF_THE_SHELL: canary('shell') },
  );
  const path = `/path-that-is-logged?key=${canary('query')}`;
  const headers = { authorization: `Bearer ${canary('caller')}`, cookie: `session=${canary('cookie')}` };
  await daemon.wake('plain', path);
  expect((await daemon.call('plain', path, { headers })).status).toBe(200);
  await daemon.call('plain', '/crash', { method: 'POST', headers });
  await daemon.event('agent.sleep', 'plain');
  await daemon.wake('plain');
  await daemon.admin('/agents/plain/?key=' + canary('query'), { headers: { cookie: headers.cookie } });
  await daemon.admin('/api/self', { headers: { authorization: daemon.bearerOf('plain') } });
  await daemon.admin('/admin/agents', { headers: { authorization: `Bearer ${canary('guess')}` } });
  await daemon.admin(`/admin/nonsense?token=${canary('query')}`);
  await daemon.admin('/admin/agents', { method: 'POST', json: { name: canary('body') } });
  await new Promise<void>((resolve) => {
    // Nothing but nonsense, with a secret in it.
    const nonsense = request({ host: '127.0.0.1', port: daemon.port, headers: { host: 'a b', authorization: canary('caller') } });
    nonsense.on('response', (response) => response.resume().on('end', resolve)).end();
  });

  const processes = daemon.home.processes();
  expect(processes).toHaveLength(3);
  const secrets = ['admin', 'query', 'caller', 'cookie', 'guess', 'body', 'shell'].map(canary);
  secrets.push(daemon.bearerOf('plain').replace('Bearer ', ''));
  const environment = (await daemon.call('plain', '/environment')).json;
  expect(Object.values(environment)).not.toContain(canary('shell'));
  expect(environment.REVEILLE_TOKEN).toBe(secrets.at(-1));
  // Half of one is enough to guess from.
  secrets.push(...secrets.slice(-1).map((token) => token.slice(0, 12)));
  const commands = processes.map(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, 'latin1')).join('\n');
  await daemon.run.end();

  // The lines are there, and the secrets are not in them.
  const log = daemon.run.log;
  expect(log.filter(({ path: logged }) => logged === '/path-that-is-logged').length).toBeGreaterThanOrEqual(2);
  expect(log.filter(({ line }) => String(line).startsWith('my token is ')).length).toBeGreaterThan(0);
  expect(log.filter(({ line }) => String(line).startsWith('and once more: ')).length).toBeGreaterThan(0);
  expect(log.filter(({ cut }) => cut === true).length).toBeGreaterThan(0);
  for (const secret of secrets) {
    expect(daemon.run.output).not.toContain(secret);
    expect(commands).not.toContain(secret);
  }
});
