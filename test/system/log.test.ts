import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { runSource } from './run-source.ts';

type Line = Readonly<Record<string, unknown>>;
const parse = (text: string): readonly Line[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

/** What a process of its own writes with `log` at hand. */
const logged = async (level: string, source: string): Promise<readonly Line[]> =>
  parse(await runSource(`import { openLog } from './src/system/log.ts';\nconst log = openLog('${level}');\n${source}`));

describe('the log', () => {
  it('writes one JSON object a line on stdout: time in UTC, level by name, constant message, facts beside it', async () => {
    const [line, ...rest] = await logged('info', `log.info('agent ready', { agent: 'kai', ms: 12 });`);
    expect(rest).toEqual([]);
    expect(line).toEqual({ time: expect.any(String), level: 'info', msg: 'agent ready', agent: 'kai', ms: 12 });
    expect(line?.['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('has written every line, in order, when the process exits at once', async () => {
    const lines = await logged(
      'info',
      `for (let at = 0; at < 500; at += 1) log.info('line', { at });\nlog.fatal('line', { at: 500 }); process.exit(0);`,
    );
    expect(lines.map((line) => line['at'])).toEqual(Array.from({ length: 501 }, (_, at) => at));
  });

  it('leaves out what is less severe than its level, and follows a change of level also where it was handed on', async () => {
    const lines = await logged(
      'warn',
      `const child = log.with({ room: 'proxy' });
       child.info('not this'); child.debug('nor this'); child.warn('one');
       log.setLevel('debug');
       child.debug('two'); log.info('three');
       log.setLevel('fatal');
       child.error('nor that'); child.fatal('four');`,
    );
    expect(lines.map((line) => [line['level'], line['msg'], line['room']])).toEqual([
      ['warn', 'one', 'proxy'],
      ['debug', 'two', 'proxy'],
      ['info', 'three', undefined],
      ['fatal', 'four', 'proxy'],
    ]);
  });

  it('never writes what is called a token, a secret, a password, an authorization or a cookie', async () => {
    const text = JSON.stringify(
      await logged(
        'info',
        `log.with({ adminToken: 'S1' }).info('calling', {
           headers: { Authorization: 'S2', 'set-cookie': ['S3'], 'proxy-authorization': 'S4', accept: 'kept' },
           env: [{ REVEILLE_TOKEN: 'S5' }], token: 'S6', cause: Object.assign(new Error('x'), { secret: 'S7' }), tokenFile: 'kept too',
         });`,
      ),
    );
    expect(text).not.toMatch(/S\d/);
    expect(text).toContain('"accept":"kept"');
    expect(text).toContain('"tokenFile":"kept too"');
  });

  it('writes an error with its words, its code and its cause', async () => {
    const [line] = await logged(
      'info',
      `log.error('failed', { error: Object.assign(new Error('outer', { cause: new TypeError('inner') }), { code: 'ENOENT' }) });`,
    );
    expect(line?.['error']).toMatchObject({
      name: 'Error',
      message: 'outer',
      code: 'ENOENT',
      cause: { name: 'TypeError', message: 'inner' },
    });
  });

  it('survives facts that have no end', async () => {
    const [line] = await logged('info', `const round = { agent: 'kai' }; round.self = round; log.info('round', { round });`);
    expect(line).toMatchObject({ msg: 'round', round: { agent: 'kai' } });
  });

  it('goes on, keeps nothing and still ends with a fatal line when the disk is full', async () => {
    await runSource(
      `import { openLog } from './src/system/log.ts';
       const log = openLog('info');
       const text = 'x'.repeat(64 * 1024);
       const before = process.memoryUsage.rss();
       for (let at = 0; at < 1000; at += 1) log.info('line', { at, text });
       log.fatal('last words');
       const grown = process.memoryUsage.rss() - before;
       process.exitCode = grown < 48 * 1024 * 1024 ? 0 : 3;`,
      '/dev/full',
    );
  });

  it('loses lines while nobody reads a non-blocking pipe, accounts for each of them, and cuts none in two', async () => {
    // Touching process.stdout makes the pipe non-blocking. The flood is over before anything is read.
    const child = spawn(
      process.execPath,
      [
        '--input-type=module-typescript',
        '--eval',
        `import { openLog } from './src/system/log.ts';
         process.stdout.write('');
         const log = openLog('info');
         const text = 'x'.repeat(300_000); // more than the pipe takes at a time
         let at = 0;
         while (at < 40) log.info('flood', { at: at++, text });
         process.stderr.write('flooded');
         setInterval(() => log.info('after', { at: at++ }), 1);`,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    await once(child.stderr, 'data');
    let read = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      read += chunk;
      if (read.includes('"after"')) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const lines = parse(read.slice(0, read.lastIndexOf('\n')));
    let next = 0;
    let lost = 0;
    for (const line of lines) {
      if (line['msg'] === 'log lines were lost: nobody took them') lost += Number(line['lines']);
      else expect(line['at']).toBe(next++ + lost);
    }
    expect(lost).toBeGreaterThan(0);
    expect(lines.at(-1)).toMatchObject({ msg: 'after' });
  });
});
