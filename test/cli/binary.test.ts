import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { problem, reply, stream, StubDaemon } from './stub-daemon.ts';

/** The real program: what only a process of its own can show. What it says is proven in commands.test.ts. */
const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');

let directory = '';
let daemon = new StubDaemon();
let url = '';
let children: ChildProcess[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'reveille-bin-'));
  daemon = new StubDaemon();
  url = await daemon.listen();
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  children = [];
  await daemon.close();
  rmSync(directory, { recursive: true });
});

function start(argv: readonly string[]): ChildProcess {
  const env = { PATH: process.env['PATH'], REVEILLE_ADMIN_TOKEN: 'sesame', REVEILLE_ADMIN: url };
  const child = spawn(process.execPath, [MAIN, ...argv], { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  return child;
}

async function ended(child: ChildProcess): Promise<{ exit: unknown; out: string; err: string }> {
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { exit: code ?? signal, out, err };
}

test('answers go to stdout, reasons to stderr, and the exit code says which it was', async () => {
  daemon.answers.set('GET /admin/agents', reply([]));
  daemon.answers.set('GET /admin/agents/nobody', problem('unknown-agent'));
  writeFileSync(join(directory, 'orchestrator.yaml'), 'agents: 1\n');
  const calls = [
    ['agents'],
    ['agents', '--json'],
    ['agent', 'nobody'],
    ['agnets'],
    ['status', '--admin', 'http://127.0.0.1:9'],
    ['check'],
  ];
  const results = await Promise.all(calls.map((argv) => ended(start(argv))));
  expect(results.map(({ exit }) => exit)).toEqual([0, 0, 1, 2, 69, 78]);
  expect(results[0]).toEqual({ exit: 0, out: 'There are no agents.\n', err: '' });
  expect(results[1]).toEqual({ exit: 0, out: '[]\n', err: '' });
  for (const { out, err } of results.slice(2)) expect([out, err.endsWith('\n')]).toEqual(['', true]);
  expect(results[5]?.err).toBe('orchestrator.yaml:1:9: agents must be a mapping, not 1\n');
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s ends the following of events, which is no failure', async (signal) => {
  daemon.answers.set('GET /admin/events', stream('data: {"type":"agent.wake","agent":"kai"}\n\n'));
  const child = start(['events']);
  child.stdout?.once('data', () => child.kill(signal));
  expect(await ended(child)).toEqual({ exit: 0, out: 'agent.wake kai\n', err: '' });
});

test('a reader that has seen enough ends it without a word', async () => {
  const event = `data: {"type":"agent.wake","agent":"${'k'.repeat(1000)}"}\n\n`;
  daemon.answers.set(
    'GET /admin/events',
    stream('', (response) => {
      const more = (): void => {
        while (response.write(event));
        response.once('drain', more);
      };
      response.on('error', () => undefined);
      more();
    }),
  );
  const child = start(['events']);
  child.stdout?.once('data', () => child.stdout?.destroy());
  expect(await ended(child)).toMatchObject({ exit: 0, err: '' });
});
