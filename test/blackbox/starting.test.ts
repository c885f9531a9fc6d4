import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { call } from '../support/call.ts';
import { type Home, it, program } from '../support/daemon.ts';
import { freePort } from '../support/memcached.ts';

const plain = { process: program('test/blackbox/agents/trouble.ts') };

/** The daemon does not come up, says so in these lines on stderr, and nothing on stdout. */
async function expectRefusal(at: Home, code: number, lines: readonly unknown[], wrapper: readonly string[] = []): Promise<void> {
  const run = at.run(wrapper);
  expect(await run.exit).toEqual({ code, signal: null });
  expect(run.stderr.items).toEqual(lines);
  expect(run.stdout.items).toEqual([]);
  expect(at.processes()).toEqual([]);
}

describe.concurrent('starting', () => {
  it('an agent whose backend is an address of this machine is started there', async ({ start }) => {
    const port = await freePort();
    const daemon = await start({ agents: { kai: { ...plain, backend: `http://127.0.0.1:${port}` } } });
    expect((await daemon.wake('kai')).status).toBe(200);
    expect((await daemon.view('kai')).backend).toBe(`http://127.0.0.1:${port}`);
    expect((await call({ port, path: '/' })).status).toBe(200);
  });

  it('it prints the URLs to try, where the token is, and the engine', async ({ home }) => {
    const agents = { kai: plain, mia: { ...plain, hostname: '*.mia.test' }, zoe: { ...plain, hostname: 'ZOE.example' } };
    const at = home({ agents });
    const daemon = await at.start();
    const text = daemon.run.stderr.items.join('\n');
    expect(text).toMatch(/Reveille \d+\.\d+\.\d+ is up, engine process\./);
    expect(text).toContain(`http://kai.test:${daemon.port}/`);
    expect(text.toLowerCase()).toContain(`http://zoe.example:${daemon.port}/`);
    expect(text).not.toContain('mia');
    expect(text).toContain(`token  ${join(at.stateDir, 'admin_token')}`);
    expect(statSync(join(at.stateDir, 'admin_token')).mode & 0o777).toBe(0o600);
    expect(statSync(join(at.stateDir, 'secret')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(at.stateDir, 'secret'))).toHaveLength(32);
    expect((await daemon.admin('/admin/health')).json).toMatchObject({
      status: 'ok',
      agent_count: 3,
      sleeping_count: 3,
      engine: { name: 'process', connected: true },
    });
    // The same token and secret at the next start.
    const bearer = daemon.bearerOf('kai');
    await daemon.run.end();
    const next = await at.start();
    expect([next.adminToken, next.bearerOf('kai')]).toEqual([daemon.adminToken, bearer]);
  });

  it('a bad config exits 78 with every mistake at its place', async ({ home }) => {
    const at = home({});
    writeFileSync(
      at.file,
      [
        'listen: nowhere',
        'admin_token: "canary with blanks"',
        'state_dirr: x',
        'agents:',
        '  kai:',
        '    hostname: kai.test',
        '    process: { command: [] }',
        '  mia:',
        '    hostname: KAI.test.',
        '    process: { command: [node] }',
        '    idle: { timeout: "${NO_SUCH_VARIABLE}" }',
        '',
      ].join('\n'),
    );
    const run = at.run();
    expect((await run.exit).code).toBe(78);
    expect(run.stdout.items).toEqual([]);
    const lines = run.stderr.items;
    for (const line of lines) expect(line).toMatch(new RegExp(`^${at.file}:\\d+:\\d+: .+`));
    const at78 = (place: string): string => lines.filter((line) => line.startsWith(`${at.file}:${place}:`)).join('\n');
    expect(at78('1:9')).toContain('nowhere');
    expect(at78('2:14')).toContain('admin_token');
    expect(at78('3:1')).toContain('state_dir');
    expect(at78('7')).toContain('command');
    expect(at78('9')).toContain('"KAI.test."');
    expect(at78('11')).toContain('NO_SUCH_VARIABLE');
    expect(run.output).not.toContain('canary');
  });

  it('a config that is not there, or no YAML, exits 78 with one line', async ({ home }) => {
    const at = home({});
    writeFileSync(at.file, 'agents: [\n');
    const broken = at.run();
    expect((await broken.exit).code).toBe(78);
    expect(broken.stderr.items[0]).toMatch(new RegExp(`^${at.file}:\\d+:\\d+: `));
    writeFileSync(at.file, '');
    expect((await at.run().exit).code).toBe(78);
  });

  it('a state_dir that is a file is one clear sentence', async ({ home }) => {
    const at = home({ agents: { plain } });
    writeFileSync(at.stateDir, '');
    await expectRefusal(at, 1, [expect.stringMatching(new RegExp(`^state_dir ${at.stateDir} cannot be used: `))]);
  });

  it('a state file that is damaged is one clear sentence, with what to do about it', async ({ home }) => {
    const at = home({ agents: { plain } });
    mkdirSync(at.stateDir);
    const file = join(at.stateDir, 'reveille.db');
    writeFileSync(file, 'Once upon a time there was a file. '.repeat(100));
    await expectRefusal(at, 1, [expect.stringMatching(new RegExp(`^${file} is damaged: .*\\. Move it away to begin anew, `))]);
  });

  it('a state_dir that cannot be written is one clear sentence', async ({ home }) => {
    const at = home({ agents: { plain } });
    mkdirSync(at.stateDir);
    chmodSync(at.stateDir, 0o500);
    // Root may write anywhere, unless that is taken from it.
    const wrapper = process.getuid?.() === 0 ? ['setpriv', '--inh-caps=-all', '--bounding-set=-all'] : [];
    await expectRefusal(at, 1, [expect.stringMatching(new RegExp(`^state_dir ${at.stateDir} cannot be used: `))], wrapper);
    chmodSync(at.stateDir, 0o700);
  });

  it('a start that fails half-way lets go of all that it had, and the next one comes up', async ({ home }) => {
    const agents = { plain, steady: { ...plain, policy: 'always-on' } };
    const at = home({ agents });
    // Found last, when the ports are taken already.
    const obstacle = join(at.stateDir, 'processes.json.new');
    mkdirSync(join(obstacle, 'in-the-way'), { recursive: true });
    await expectRefusal(at, 1, [expect.stringMatching(/^the engine cannot be opened: .*processes\.json/)]);
    rmSync(obstacle, { recursive: true });
    const daemon = await at.start();
    const taken = home({ listen: `127.0.0.1:${daemon.port}`, agents });
    await expectRefusal(taken, 1, [`listen: cannot listen on 127.0.0.1:${daemon.port}: another process listens there`]);
    const taken2 = home({ admin_listen: `127.0.0.1:${daemon.port}`, agents });
    await expectRefusal(taken2, 1, [`admin_listen: cannot listen on 127.0.0.1:${daemon.port}: another process listens there`]);
  });

  it('a state_dir that can no longer be written refuses the wake, and loses nothing else', async ({ home }) => {
    const at = home({ agents: { plain: { ...plain, idle: { timeout: '1m' } }, other: plain } });
    const daemon = await at.start();
    await daemon.wake('plain');
    // Stands in the way of the record of processes, for root too, as a full disk would.
    mkdirSync(join(at.stateDir, 'processes.json.new', 'in-the-way'), { recursive: true });
    expect((await daemon.call('other')).status).toBe(503);
    await daemon.event('agent.sleep', 'other');
    expect((await daemon.view('other')).problem).toMatchObject({
      code: 'start-failed',
      detail: expect.stringContaining(at.stateDir),
    });
    expect((await daemon.call('plain')).status).toBe(200);
    expect(at.agentProcesses()).toHaveLength(1);
  });
});
