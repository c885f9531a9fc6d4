import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it as plainIt } from 'vitest';
import { type Reply, call } from '../support/call.ts';
import { markedPath, markedProcesses, untilGone } from '../support/marked-processes.ts';

/** `npm run racks`, as somebody types it, on ports that nobody else has. */
class Runner {
  readonly directory = mkdtempSync(join(tmpdir(), 'reveille-racks-'));
  readonly shift = randomInt(100, 2500);
  readonly mark = randomUUID();
  said = '';
  private child: ChildProcess | null = null;

  start(): Promise<number | null> {
    const main = resolve(import.meta.dirname, '../../tools/racks/main.ts');
    const args = [main, '--shift', String(this.shift), '--directory', this.directory];
    const env = { ...process.env, PATH: markedPath(this.mark), PICOCLAW_ENABLED: '0' };
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.said += text));
    this.child = child;
    return once(child, 'close').then(([code]) => code as number | null);
  }

  async up(): Promise<void> {
    while (!this.said.includes('^C ends both')) {
      if (this.child?.exitCode !== null) throw new Error(`it ended: ${this.said}`);
      await pause(50);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  /** Of rack 1 or 2, at one of the ports that the page names, once it is awake. */
  async get(port: number, path: string, post?: unknown): Promise<Reply> {
    const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(post) };
    for (;;) {
      const reply = await call({ port: port + this.shift, host: 'localhost', path, ...(post === undefined ? {} : json) });
      if (reply.status !== 503) return reply;
      await pause(50);
    }
  }

  left(): Promise<readonly unknown[]> {
    return untilGone(() => markedProcesses(this.mark), 120_000);
  }
}

const it = plainIt.extend<{ runner: Runner }>({
  runner: async ({ onTestFailed }, use) => {
    const runner = new Runner();
    onTestFailed(() => console.error(runner.said));
    await use(runner);
    runner.signal('SIGKILL');
    for (const { pid } of await untilGone(() => markedProcesses(runner.mark), 120_000)) process.kill(pid, 'SIGKILL');
    rmSync(runner.directory, { recursive: true, force: true });
  },
});

it('two racks run two worlds of their own, each with its scoreboard, and end together', async ({ runner }) => {
  const exit = runner.start();
  await runner.up();
  expect(statSync(join(runner.directory, 'revolt_secret')).mode & 0o777).toBe(0o600);
  for (const port of [18_090, 28_090]) expect((await runner.get(port, '/healthz')).json).toEqual({ ok: true });
  expect((await runner.get(18_080, '/api/chat', { text: 'only here' })).status).toBe(201);
  expect((await runner.get(18_080, '/api/chat')).json.messages).toMatchObject([{ text: 'only here' }]);
  expect((await runner.get(28_080, '/api/chat')).json.messages).toEqual([]);
  runner.signal('SIGINT');
  expect([await exit, await runner.left()]).toEqual([0, []]);
});

it('nothing of the racks is left when their runner is killed', async ({ runner }) => {
  void runner.start();
  await runner.up();
  await runner.get(18_080, '/api/whoami');
  runner.signal('SIGKILL');
  expect(await runner.left()).toEqual([]);
});

it('a port that is taken is named, and nothing is started', async ({ runner }) => {
  await using taken = createServer().listen(28_090 + runner.shift, '127.0.0.1');
  await once(taken, 'listening');
  expect(await runner.start()).toBe(1);
  expect(runner.said).toContain(`Port ${28_090 + runner.shift} of 127.0.0.1 is taken`);
});
