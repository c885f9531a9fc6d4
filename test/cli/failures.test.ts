import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { optionsOf, written } from '../../src/cli/help.ts';
import { parse } from '../../src/cli/parse.ts';
import { SimClock } from '../support/sim-clock.ts';
import { bench, reveille, toStub } from './reveille.ts';
import { problem, reply, stream, StubDaemon } from './stub-daemon.ts';

const stub = bench();

describe('what goes wrong is told with what to do next', () => {
  test('a refusal', async () => {
    stub.daemon.answers.set('POST /admin/agents/kai/wake', problem('not-on-demand', 'kai is always-on\u001b[2J'));
    expect(await reveille(['wake', 'kai'], toStub(stub))).toMatchObject({
      exit: 1,
      out: '',
      err: `reveille: The agent is not on-demand (not-on-demand)
  kai is always-on\\u001b[2J
  Wake and sleep are for on-demand agents only.
  Change its policy in the config file.`,
    });
  });

  test('a reload of a file with mistakes', async () => {
    const complaints = ['o.yaml:1:1: one', 'o.yaml:2:3: two'];
    stub.daemon.answers.set('POST /admin/reload', problem('config-invalid', undefined, { complaints }));
    expect(await reveille(['reload'], toStub(stub))).toMatchObject({
      exit: 78,
      err: `reveille: The config file has mistakes; nothing was changed (config-invalid)
o.yaml:1:1: one
o.yaml:2:3: two
  Mend every complaint listed.
  Run \`reveille check FILE\` before you reload.`,
    });
  });

  test('a name that would lead elsewhere stays a name', async () => {
    expect(await reveille(['agent', '../health?x=1#'], toStub(stub))).toMatchObject({ exit: 1 });
    expect(stub.daemon.asked).toEqual(['GET /admin/agents/..%2Fhealth%3Fx%3D1%23']);
  });

  test('nobody there', async () => {
    await stub.daemon.close();
    expect(await reveille(['status'], toStub(stub))).toMatchObject({
      exit: 69,
      err: `reveille: the daemon cannot be reached at ${stub.url}: connection refused
  Start it with \`reveille serve\`, or name another with --admin or REVEILLE_ADMIN.`,
    });
    stub.daemon = new StubDaemon();
    await stub.daemon.listen();
  });

  test('something else there', async () => {
    stub.daemon.answers.set('GET /admin/health', (_, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
    );
    stub.daemon.answers.set('GET /admin/agents', (_, response) =>
      response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    );
    stub.daemon.answers.set('GET /admin/events', reply({}));
    stub.daemon.answers.set('POST /admin/reload', (_, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"a":'),
    );
    for (const command of ['status', 'agents', 'events', 'reload']) {
      const { exit, err } = await reveille([command], toStub(stub));
      expect([exit, err]).toEqual([69, expect.stringContaining('is not the internal port of a daemon')]);
    }
  });

  test('an answer without end', async () => {
    stub.daemon.answers.set('GET /admin/agents', (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const more = (): void => {
        while (response.write(Buffer.alloc(1024 * 1024, ' ')));
        response.once('drain', more);
      };
      more();
    });
    expect(await reveille(['agents'], toStub(stub))).toMatchObject({
      exit: 1,
      err: expect.stringContaining('is larger than 16 MiB') as string,
    });
  });

  test('no answer at all', async () => {
    const clock = new SimClock();
    stub.daemon.answers.set('GET /admin/health', () => void clock.advance(10_000));
    const { exit, err } = await reveille(['status'], toStub(stub), { clock });
    expect([exit, err]).toEqual([69, expect.stringContaining('no answer within 10 s')]);
    expect(clock.pending).toBe(0);
  });

  test('an event stream that has gone silent', async () => {
    const clock = new SimClock();
    stub.daemon.answers.set('GET /admin/events', stream('data: {"type":"agent.wake"}\n\n'));
    // Not before the first event: until then it is the answer that would be late.
    const whenOut = (): void => void clock.advance(60_000);
    const { exit, out, err } = await reveille(['events'], toStub(stub), { clock, whenOut });
    expect([exit, out, err]).toEqual([69, 'agent.wake', 'reveille: nothing has come for 60 s']);
    expect(clock.pending).toBe(0);
  });
});

describe('a wrong command line says what could be meant, and never repeats a value', () => {
  test.each([
    [[], 'which command?'],
    [['statsu'], 'there is no command "statsu"; did you mean status?'],
    [['help', 'wkae'], 'there is no command "wkae"; did you mean wake?'],
    [['agents', '--jsn'], 'there is no option "--jsn"; did you mean --json?'],
    [['agents', '--tokn=sesame'], 'there is no option "--tokn"; did you mean --token?'],
    [['agents', '--token'], '--token needs a value: --token=TOKEN'],
    [['agents', '--token', '--json'], '--token needs a value: --token=TOKEN'],
    [['agents', '--json=yes'], '--json takes no value'],
    [['agents', '--force'], 'agents takes no --force'],
    [['wake'], 'wake needs <name>'],
    [['wake', 'a', 'b'], 'wake takes one argument, and there are 2'],
    [['status', 'now'], 'status takes no argument'],
    [['status', '--admin', 'ftp://sesame@x'], '"ftp://...@x" is not the URL of an internal port, such as http://127.0.0.1:9180'],
    [
      ['status', '--admin', 'http://:sesame@x/'],
      '"http://...@x/" is not the URL of an internal port, such as http://127.0.0.1:9180',
    ],
    [['status', '--token', 'open sesame'], '--token is not a token: it must be visible ASCII characters without spaces'],
  ])('%j', async (argv, message) => {
    const { exit, out, err } = await reveille(argv, toStub(stub));
    expect([exit, out, err.split('\n')[0]]).toEqual([2, '', `reveille: ${message}`]);
    expect(err).not.toContain('sesame');
  });
});

test('no command line makes the parser throw', () => {
  const word = fc.constantFrom(
    'wake',
    'kai',
    'help',
    '--',
    '-',
    '-h',
    '-x',
    '--json',
    '--json=',
    '--token',
    '--token=',
    '--__proto__=1',
    '',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(word, fc.string()), { maxLength: 8 }), (argv) => {
      expect(['run', 'help', 'version', 'usage']).toContain(parse(argv).kind);
    }),
  );
});

test('every command has help that names its options, and so does the overview', async () => {
  const { out: overview, exit } = await reveille(['--help'], toStub(stub));
  expect(exit).toBe(0);
  expect(await reveille(['help'], toStub(stub))).toMatchObject({ exit: 0, out: overview });
  for (const command of COMMANDS) {
    expect(overview).toContain(command.summary);
    const { out } = await reveille([command.name, '--help'], toStub(stub));
    expect(await reveille(['help', command.name], toStub(stub))).toMatchObject({ exit: 0, out });
    for (const name of optionsOf(command)) expect(out).toContain(`  ${written(name)}`);
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(140);
  }
});
