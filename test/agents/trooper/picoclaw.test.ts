import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it as plainIt } from 'vitest';
import { haikuIn } from '../../../agents/trooper/text/cleaning.ts';
import { askPicoclaw } from '../../../agents/trooper/text/picoclaw.ts';
import { FakePicoclaw } from '../../support/fake-picoclaw.ts';
import { isAlive } from '../../support/marked-processes.ts';

/** Longer than any of these takes, and what the hanging ones are given. */
const PLENTY_MS = 15_000;
const SHORT_MS = 100;
const never = new AbortController().signal;

const it = plainIt.extend<{ fake: (script: string) => FakePicoclaw }>({
  fake: async ({}, use) => {
    const fakes: FakePicoclaw[] = [];
    await use((script) => {
      const fake = new FakePicoclaw(script);
      fakes.push(fake);
      return fake;
    });
    for (const fake of fakes) {
      // SIGKILL is not waited for, and the kernel tells nobody when it has done its work.
      while (fake.pids.some(isAlive)) await pause(5);
      fake[Symbol.dispose]();
    }
  },
});

describe('PicoClaw', () => {
  it('is asked as `picoclaw agent -m <prompt>`, in one argument, with nothing to read', async ({ fake }) => {
    const { program } = fake(`cat; printf '%s' "$prompt"`);
    const prompt = `three "words" $HOME 'about' bugs; exit 3`;
    expect(await askPicoclaw(program, prompt, PLENTY_MS, never)).toEqual({ ok: true, value: `\n${prompt}` });
  });

  it('is looked for on the PATH, and one that is not there is said to be so', async ({ fake }) => {
    const { directory } = fake('echo here');
    const variables = { PATH: `${directory}:/usr/bin:/bin` };
    expect(await askPicoclaw('picoclaw', 'x', PLENTY_MS, never, variables)).toEqual({ ok: true, value: '\nhere\n' });
    expect(await askPicoclaw('picoclaw', 'x', PLENTY_MS, never, { PATH: '/nowhere' })).toEqual({
      ok: false,
      failure: 'there is no picoclaw on the PATH',
    });
    expect(await askPicoclaw(directory, 'x', PLENTY_MS, never)).toEqual({ ok: false, failure: 'EACCES' });
  });

  it('is told where its config is and whose task it belongs to, and no token and no secret', async ({ fake }) => {
    const { program } = fake('env');
    const variables = {
      ...{ HOME: '/home/x', PATH: '/usr/bin:/bin', REVEILLE_TASK_ID: 't', REVEILLE_OWNER: 'o', REVEILLE_TOKEN: 'secret' },
      ...{ REVOLT_SECRET: 'secret', REVOLT_SECRET_FILE: '/run/secret', PICOCLAW_CONFIG: '/c.json', OPENAI_API_KEY: 'secret' },
    };
    const answer = await askPicoclaw(program, 'x', PLENTY_MS, never, variables);
    const names = (answer.ok ? answer.value : '').split('\n').map((line) => line.split('=')[0] ?? '');
    // The shell adds some of its own.
    expect(names.filter((name) => !['', '_', 'PWD', 'SHLVL', 'OLDPWD'].includes(name)).sort()).toEqual(
      ['HOME', 'PATH', 'PICOCLAW_CONFIG', 'REVEILLE_OWNER', 'REVEILLE_TASK_ID'].sort(),
    );
    expect(answer.ok && answer.value).not.toContain('secret');
  });

  it('gives all three lines, on whichever stream it prints them', async ({ fake }) => {
    const poem = 'one line of mine\nand another one\nand the third';
    for (const stream of ['1', '2']) {
      const { program } = fake(
        `echo "[INFO] up" >&1; echo "WARNING: old" >&2; printf '\\n\\033[1m🦞 ${poem.replaceAll('\n', '\\n')}\\033[0m\\n' >&${stream}`,
      );
      const answer = await askPicoclaw(program, 'x', PLENTY_MS, never);
      expect(haikuIn(answer.ok ? answer.value : '')).toBe(poem);
    }
  });

  it.each([
    ['ends with 1', 'echo one two three; exit 1', 'it ended with 1'],
    ['is killed', 'kill -9 $$', 'it ended by SIGKILL'],
    ['floods', 'yes "one two three"', 'it wrote too much'],
    ['floods and ignores SIGTERM', 'trap "" TERM; while :; do echo "one two three one two three"; done', 'it wrote too much'],
    ['writes one byte too many and ends', 'head -c 65537 /dev/zero', 'it wrote too much'],
  ])('has no answer when it %s', async (_name, script, failure) => {
    using fake = new FakePicoclaw(script);
    expect(await askPicoclaw(fake.program, 'x', PLENTY_MS, never)).toEqual({ ok: false, failure });
    expect(fake.pids.filter(isAlive)).toEqual([]);
  });

  it.each([
    ['hangs', 'sleep 1000'],
    ['hangs and ignores SIGTERM', 'trap "" TERM; while :; do sleep 1000; done'],
    ['prints and does not end', 'echo one two three; sleep 1000'],
  ])('is ended, and no answer is taken, when it %s', async (_name, script) => {
    using fake = new FakePicoclaw(script);
    expect(await askPicoclaw(fake.program, 'x', SHORT_MS, never)).toEqual({ ok: false, failure: 'it took too long' });
    expect(fake.pids.filter(isAlive)).toEqual([]);
  });

  it('leaves no child of it behind, whether it ends by itself or is ended', async ({ fake }) => {
    const withChild = `(trap "" TERM; echo "$(sh -c 'echo $PPID')" >> "\${0%/*}/pids"; while :; do sleep 1000; done) &
      until [ "$(wc -l < "\${0%/*}/pids")" = 2 ]; do :; done`;
    const done = fake(`${withChild}; echo one two three`);
    expect(await askPicoclaw(done.program, 'x', PLENTY_MS, never)).toEqual({ ok: true, value: '\none two three\n' });
    const hanging = fake(`${withChild}; sleep 1000`);
    const stopping = new AbortController();
    const answer = askPicoclaw(hanging.program, 'x', PLENTY_MS, stopping.signal);
    while (hanging.pids.length < 2) await pause(5);
    stopping.abort();
    expect((await answer).ok).toBe(false);
    for (const family of [done, hanging]) {
      expect(family.pids).toHaveLength(2);
      while (family.pids.some(isAlive)) await pause(5);
    }
  });

  it('is not waited for when a child has left its group and holds its output open', async ({ fake }) => {
    const escaping = fake(`setsid sh -c 'echo $$ >> "$0"; exec sleep 1000' "\${0%/*}/pids" &
      until [ "$(wc -l < "\${0%/*}/pids")" = 2 ]; do :; done; echo one two three`);
    expect(await askPicoclaw(escaping.program, 'x', PLENTY_MS, never)).toEqual({ ok: true, value: '\none two three\n' });
    process.kill(escaping.pids[1] ?? 0, 'SIGKILL');
  });

  it('is ended when the trooper stops, and not started any more', async ({ fake }) => {
    const { program, pids: none } = fake('exit 0');
    expect(await askPicoclaw(program, 'x', PLENTY_MS, AbortSignal.abort())).toEqual({ ok: false, failure: 'the trooper stops' });
    expect(none).toEqual([]);

    const hanging = fake('trap "" TERM; while :; do sleep 1000; done');
    const stopping = new AbortController();
    const answer = askPicoclaw(hanging.program, 'x', PLENTY_MS, stopping.signal);
    while (hanging.pids.length === 0) await pause(5);
    stopping.abort();
    expect(await answer).toEqual({ ok: false, failure: 'the trooper stops' });
    expect(hanging.pids.filter(isAlive)).toEqual([]);
  });
});
