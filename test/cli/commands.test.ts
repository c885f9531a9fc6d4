import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bench, reveille, toStub } from './reveille.ts';
import { SimClock } from '../support/sim-clock.ts';
import { reply, stream } from './stub-daemon.ts';
import { EVIL, HEALTH, KAI, SERVICE } from './views.ts';

const stub = bench();

describe('what a daemon says is printed as aligned text', () => {
  test('status', async () => {
    stub.daemon.answers.set('GET /admin/health', reply(HEALTH));
    expect(await reveille(['status'], toStub(stub))).toMatchObject({
      exit: 0,
      err: '',
      out: `status             ok
up                 2h 0m
engine             process, connected since 2026-01-01T00:00:00.000Z
agents             2, of which 1 ready and 1 sleeping
websockets         3
registered routes  1
config             loaded 2026-01-01T00:00:00.000Z`,
    });
    expect(stub.daemon.authorizations).toEqual(['Bearer sesame']);
  });

  test('agents', async () => {
    stub.daemon.answers.set('GET /admin/agents', reply([EVIL, KAI]));
    expect((await reveille(['agents'], toStub(stub))).out).toBe(
      `NAME  STATE             POLICY     TASKS  REQUESTS  WEBSOCKETS  SLEEPS AT                 HOSTNAME
evil  degraded, exited  on-demand  1/1    0         0           -                         evil.example.com
kai   ready             on-demand  1/1    12        3           2026-01-01T00:40:00.000Z  kai.example.com`,
    );
  });

  test('a name that would move the cursor stays text', async () => {
    stub.daemon.answers.set('GET /admin/agents', reply([{ ...KAI, hostname: 'x\u001b[2J\u202e' }]));
    expect((await reveille(['agents'], toStub(stub))).out).toMatch(/ {2}x\\u001b\[2J\\u202e$/);
  });

  test('no agents', async () => {
    stub.daemon.answers.set('GET /admin/agents', reply([]));
    stub.daemon.answers.set('GET /admin/services', reply([]));
    expect((await reveille(['agents'], toStub(stub))).out).toBe('There are no agents.');
    expect((await reveille(['routes'], toStub(stub))).out).toBe('There are no routes.');
  });

  test('agent', async () => {
    stub.daemon.answers.set('GET /admin/agents/evil', reply(EVIL));
    expect((await reveille(['agent', 'evil'], toStub(stub))).out).toBe(`name           evil
state          degraded since 2026-01-01T00:00:00.000Z
problem        exited: \\u001b[2Jgone\\u000a
failed starts  5
policy         on-demand
hostnames      evil.example.com
tasks          1 running, 1 wanted, 1 at most
requests       0
websockets     0
last activity  2026-01-01T00:10:00.000Z
idle timeout   30m`);
  });

  test('wake and sleep', async () => {
    stub.daemon.answers.set('POST /admin/agents/kai/wake', reply({ status: 'waking' }, 202));
    stub.daemon.answers.set('POST /admin/agents/kai/wake?wait=1m', reply({ status: 'ready' }));
    stub.daemon.answers.set('POST /admin/agents/kai/wake?wait=90s', reply({ status: 'ready' }));
    stub.daemon.answers.set('POST /admin/agents/kai/sleep', reply({ status: 'sleeping' }, 202));
    stub.daemon.answers.set('POST /admin/agents/kai/sleep?force=true', reply({ status: 'sleeping' }, 202));
    expect(await reveille(['wake', 'kai'], toStub(stub))).toMatchObject({ exit: 0, out: 'kai is being woken' });
    expect(await reveille(['wake', 'kai', '--wait'], toStub(stub))).toMatchObject({ exit: 0, out: 'kai is ready' });
    expect(await reveille(['wake', '--wait', '--timeout', '90s', 'kai'], toStub(stub))).toMatchObject({
      exit: 0,
      out: 'kai is ready',
    });
    expect(await reveille(['sleep', 'kai'], toStub(stub))).toMatchObject({ exit: 0, out: 'kai is going to sleep' });
    expect(await reveille(['sleep', 'kai', '--force'], toStub(stub))).toMatchObject({ exit: 0 });
    expect(await reveille(['wake', 'kai', '--timeout', '5s'], toStub(stub))).toMatchObject({ exit: 2 });
    expect(await reveille(['wake', 'kai', '--wait', '--timeout', 'soon'], toStub(stub))).toMatchObject({ exit: 2 });
  });

  test('keep', async () => {
    const sent: unknown[] = [];
    const view = (override?: object) => reply({ ...KAI, override });
    stub.daemon.answers.set('PUT /admin/agents/kai/override', (request, response) => {
      request.on('data', (chunk: Buffer) => {
        const body = JSON.parse(chunk.toString()) as { state: string };
        sent.push([request.headers['content-type'], body]);
        view({ ...body, since: '2026-01-01T00:00:00.000Z' })(request, response);
      });
    });
    stub.daemon.answers.set('DELETE /admin/agents/kai/override', view());
    const clock = new SimClock();
    const run = (...argv: readonly string[]) => reveille(['keep', ...argv], toStub(stub), { clock });
    expect(await run('kai', 'asleep')).toMatchObject({ exit: 0, out: 'kai is kept asleep until that is lifted' });
    expect(await run('kai', 'awake', '--until', '8h')).toMatchObject({
      exit: 0,
      out: 'kai is kept awake until 2026-01-01T08:00:00.000Z',
    });
    expect(await run('--until', '2026-01-31T18:00:00+01:00', 'kai', 'awake')).toMatchObject({ exit: 0 });
    expect(sent).toEqual([
      ['application/json', { state: 'asleep' }],
      ['application/json', { state: 'awake', until: '2026-01-01T08:00:00.000Z' }],
      ['application/json', { state: 'awake', until: '2026-01-31T17:00:00.000Z' }],
    ]);
    expect(await run('kai', '--lift')).toMatchObject({ exit: 0, out: 'kai is kept no longer' });
    expect(stub.daemon.asked.at(-1)).toBe('DELETE /admin/agents/kai/override');
    const asked = stub.daemon.asked.length;
    for (const wrong of [
      ['kai'],
      ['kai', 'dozing'],
      ['kai', 'awake', '--until', 'tomorrow'],
      ['kai', 'awake', '--lift'],
      ['kai', '--lift', '--until', '8h'],
      ['kai', 'awake', 'now'],
    ])
      expect(await run(...wrong), wrong.join(' ')).toMatchObject({ exit: 2 });
    expect(stub.daemon.asked).toHaveLength(asked);
  });

  test('agents that are kept or busy, and those that are frozen', async () => {
    const lease = { task: 't1', reason: 'nightly build', expires_at: '2026-01-01T01:00:00.000Z' };
    const kept = { state: 'awake', since: '2026-01-01T00:00:00.000Z', until: '2026-01-01T08:00:00.000Z' };
    const agent = { ...KAI, busy: [lease, { ...lease, task: 't2' }], override: kept };
    stub.daemon.answers.set('GET /admin/agents', reply([agent, { ...EVIL, override: { ...kept, state: 'asleep' } }]));
    stub.daemon.answers.set('GET /admin/agents/kai', reply(agent));
    stub.daemon.answers.set('GET /admin/health', reply({ ...HEALTH, frozen_count: 1 }));
    expect((await reveille(['agents'], toStub(stub))).out).toMatch(
      /^kai +ready, busy, kept awake  .*\nevil +degraded, exited, kept asleep  /m,
    );
    const { out } = await reveille(['agent', 'kai'], toStub(stub));
    expect(out).toMatch(/^kept +awake since 2026-01-01T00:00:00.000Z, until 2026-01-01T08:00:00.000Z$/m);
    expect(out).toMatch(/^busy +nightly build \(task t1, until 2026-01-01T01:00:00.000Z\)\nbusy +nightly build \(task t2, /m);
    expect(out).toMatch(/^last activity +2026-01-01T00:10:00.000Z$/m);
    expect((await reveille(['status'], toStub(stub))).out).toMatch(/^agents +2, of which 1 ready, 1 frozen and 1 sleeping$/m);
  });

  test('routes, static and registered', async () => {
    stub.daemon.answers.set('GET /admin/agents', reply([KAI]));
    stub.daemon.answers.set('GET /admin/services', reply([SERVICE]));
    expect((await reveille(['routes'], toStub(stub))).out).toBe(
      `HOSTNAME                 AGENT  KIND        TARGET                 EXPIRES AT
*.kai.example.com        kai    static      -                      -
kai.example.com          kai    static      -                      -
preview.kai.example.com  kai    registered  http://127.0.0.1:3000  -`,
    );
  });

  test('reload', async () => {
    stub.daemon.answers.set(
      'POST /admin/reload',
      reply({ added: ['a'], removed: [], changed: ['b', 'c'], restart_needed: ['listen'] }),
    );
    expect((await reveille(['reload'], toStub(stub))).out).toBe('added: a\nchanged: b, c\nat the next start: listen');
    stub.daemon.answers.set('POST /admin/reload', reply({ added: [], removed: [], changed: [], restart_needed: [] }));
    expect((await reveille(['reload'], toStub(stub))).out).toBe('no agent has changed');
  });

  test('events, one a line, until the daemon ends the stream', async () => {
    const event = {
      id: 1,
      type: 'agent.ready',
      agent: 'kai',
      at: '2026-01-01T00:00:00.000Z',
      from: 'starting',
      to: 'ready',
      ms: 42,
    };
    const odd = { id: 2, type: 'agent.degraded', agent: 'kai', at: 'now', problem: '\u001b[2J "x"' };
    const text = `: hello\n\nid: 1\nevent: agent.ready\ndata: ${JSON.stringify(event)}\n\nevent: agent.degraded\r\ndata: ${JSON.stringify(odd)}\r\n\r\n`;
    stub.daemon.answers.set(
      'GET /admin/events',
      stream(text, (response) => response.end()),
    );
    expect(await reveille(['events'], toStub(stub))).toMatchObject({
      exit: 69,
      out: '2026-01-01T00:00:00.000Z agent.ready kai starting -> ready ms=42\nnow agent.degraded kai problem="\\u001b[2J \\"x\\""',
      err: 'reveille: the daemon ended the stream of events\n  Go on from here: reveille events --since 1',
    });
    const lines = (await reveille(['events', '--json'], toStub(stub))).out.split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([event, odd]);
  });

  test('events since one that is known', async () => {
    const wishes: (string | undefined)[] = [];
    stub.daemon.answers.set('GET /admin/events', (request, response) => {
      wishes.push(request.headers['last-event-id'] as string | undefined);
      stream('id: 41\n\n', () => response.end())(request, response);
    });
    expect((await reveille(['events', '--since', '7'], toStub(stub))).err).toContain('reveille events --since 41');
    await reveille(['events'], toStub(stub));
    expect(wishes).toEqual(['7', undefined]);
    for (const since of ['yesterday', '-1', '1.5'])
      expect(await reveille(['events', `--since=${since}`], toStub(stub))).toMatchObject({ exit: 2 });
  });

  test('version', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect((await reveille(['version'], toStub(stub))).out).toBe(`reveille ${version} on Node.js ${process.versions.node}`);
    expect((await reveille(['--version'], toStub(stub))).out).toBe(`reveille ${version} on Node.js ${process.versions.node}`);
    expect(JSON.parse((await reveille(['version', '--json'], toStub(stub))).out)).toEqual({
      version,
      node: process.versions.node,
    });
  });
});

test('with --json it is what the daemon said, with nothing that moves a cursor', async () => {
  stub.daemon.answers.set('GET /admin/health', reply(HEALTH));
  stub.daemon.answers.set('GET /admin/agents', reply([EVIL, KAI]));
  stub.daemon.answers.set('GET /admin/agents/evil', reply(EVIL));
  stub.daemon.answers.set('GET /admin/services', reply([SERVICE]));
  stub.daemon.answers.set('POST /admin/agents/kai/wake', reply({ status: 'waking' }, 202));
  stub.daemon.answers.set('POST /admin/agents/kai/sleep', reply({ status: 'sleeping' }, 202));
  stub.daemon.answers.set('POST /admin/reload', reply({ added: ['\u009b2J'], removed: [], changed: [], restart_needed: [] }));
  const fixed = { agent: 'kai', kind: 'static', target: null, created_at: null, expires_at: null };
  const expected: readonly (readonly [readonly string[], unknown])[] = [
    [['status'], HEALTH],
    [['agents'], [EVIL, KAI]],
    [['agent', 'evil'], EVIL],
    [['wake', 'kai'], { status: 'waking' }],
    [['sleep', 'kai'], { status: 'sleeping' }],
    [['reload'], { added: ['\u009b2J'], removed: [], changed: [], restart_needed: [] }],
  ];
  for (const [argv, value] of expected) {
    const { exit, out } = await reveille(['--json', ...argv], toStub(stub));
    expect([exit, JSON.parse(out)]).toEqual([0, JSON.parse(JSON.stringify(value))]);
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  }
  stub.daemon.answers.set('GET /admin/agents', reply([KAI]));
  expect(JSON.parse((await reveille(['routes', '--json'], toStub(stub))).out)).toEqual([
    { hostname: '*.kai.example.com', ...fixed },
    { hostname: 'kai.example.com', ...fixed },
    { ...SERVICE, kind: 'registered' },
  ]);
});
