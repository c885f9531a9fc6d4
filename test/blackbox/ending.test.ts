import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { type Daemon, type Home, it, program } from '../support/daemon.ts';
import { isAlive, untilGone } from '../support/marked-processes.ts';

const hello = { process: program('agents/hello/main.ts'), idle: { timeout: '30m' } };
const plain = { process: program('test/blackbox/agents/trouble.ts'), idle: { timeout: '30m' } };
const trouble = (words: string) => ({ ...plain, process: program('test/blackbox/agents/trouble.ts', { TROUBLE: words }) });

const failure = (error: NodeJS.ErrnoException): string => error.code ?? error.message;

describe.concurrent('ending', () => {
  it('K: SIGTERM under load finishes what is in flight, closes WebSockets with 1001, exits 0, leaves no orphan', async ({
    start,
  }) => {
    const daemon = await start({ shutdown: { drain_timeout: '60s' }, agents: { hello, plain: trouble('forks') } });
    await Promise.all([daemon.wake('hello', '/whoami'), daemon.wake('plain')]);
    const { socket, closed, ask } = await daemon.socket('hello', '/ws');
    await ask('open');
    const download = daemon.call('hello', '/slow?seconds=10');
    const held = Array.from({ length: 20 }, () => daemon.call('plain', '/hold?ms=8000'));
    await daemon.untilInFlight('plain', 20);
    await daemon.untilInFlight('hello', 1);

    daemon.run.signal('SIGTERM');
    await daemon.run.logged('daemon is shutting down');
    await daemon.run.stderr.first('what the end waits for', (line) =>
      line.includes('Ending: 21 open requests may take up to 1m.'),
    );
    // npm and terminals send it twice.
    daemon.run.signal('SIGTERM');
    daemon.run.signal('SIGINT');
    expect((await closed).code).toBe(1001);
    expect(socket.readyState).toBe(socket.CLOSED);
    const late = await Promise.all(
      Array.from({ length: 20 }, () =>
        daemon.call('plain').then(
          ({ status, json }) => `${status} ${String(json.type)}`,
          (error: unknown) => failure(error as NodeJS.ErrnoException),
        ),
      ),
    );
    for (const answer of late) expect(answer).toMatch(/^(?:ECONNREFUSED|ECONNRESET|503 .*\/draining)$/);
    expect((await daemon.admin('/readyz')).status).toBe(503);
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual(held.map(() => 200));
    const whole = await download;
    expect([whole.status, whole.text.length]).toEqual([200, 100 * 64]);
    expect(whole.text).toContain('line 100 of 100');

    expect(await daemon.run.exit).toEqual({ code: 0, signal: null });
    expect(daemon.home.processes()).toEqual([]);
    expect(daemon.run.log.filter(({ msg }) => String(msg).startsWith('told again'))).toEqual([]);
  });

  it('K: a SIGTERM that comes later hurries: what is open is cut, never ended as if whole', async ({ start }) => {
    const daemon = await start({ shutdown: { drain_timeout: '5m' }, agents: { hello } });
    await daemon.wake('hello', '/whoami');
    const download = daemon.call('hello', '/slow?seconds=600').then(
      () => 'ended as if whole',
      () => 'cut',
    );
    await daemon.untilInFlight('hello', 1);
    daemon.run.signal('SIGTERM');
    await daemon.run.logged('daemon is shutting down');
    // Not to wait for something: only later than 5 s is it another wish.
    await pause(5500);
    expect(daemon.run.ended).toBeNull();
    daemon.run.signal('SIGTERM');
    expect(await download).toBe('cut');
    expect((await daemon.run.exit).code).toBe(0);
    expect(daemon.home.processes()).toEqual([]);
  });

  it('K: work that lasts longer than drain_timeout is cut, and an agent that ignores SIGTERM is killed', async ({ start }) => {
    const daemon = await start({ shutdown: { drain_timeout: '1s' }, agents: { plain: trouble('deaf forks') } });
    await daemon.wake('plain');
    const held = daemon.call('plain', '/hold?ms=600000').then(
      ({ status }) => String(status),
      () => 'cut',
    );
    await daemon.untilInFlight('plain', 1);
    daemon.run.signal('SIGTERM');
    expect(await held).toBe('cut');
    expect((await daemon.run.exit).code).toBe(0);
    expect(daemon.home.processes()).toEqual([]);
  });

  it('K: SIGINT with nothing open ends it as well', async ({ start }) => {
    const daemon = await start({ agents: { plain } });
    daemon.run.signal('SIGINT');
    expect((await daemon.run.exit).code).toBe(0);
    expect(daemon.home.processes()).toEqual([]);
  });

  it('K: kill -9 leaves no orphan, and the next start is asleep and works', async ({ home }) => {
    const at = home({ agents: { hello, plain, deaf: trouble('deaf') } });
    const daemon = await at.start();
    await Promise.all([daemon.wake('hello', '/whoami'), daemon.wake('plain'), daemon.wake('deaf')]);
    expect(at.agentProcesses()).toHaveLength(3);
    await killed(daemon);
    expect(await untilGone(() => at.processes(), 120_000)).toEqual([]);

    const next = await at.start();
    expect((await next.admin('/admin/agents')).json.map(({ state }: { state: string }) => state)).toEqual(
      Array.from({ length: 3 }, () => 'sleeping'),
    );
    expect((await next.wake('hello', '/whoami')).status).toBe(200);
  });

  it('K: what outlives daemon and guardian is ended by the next start, once that may listen, and nothing else is', async ({
    home,
  }) => {
    const at = home({ agents: { plain: trouble('forks') } });
    const other = home({ agents: { plain } });
    const [daemon, bystander] = await Promise.all([at.start(), other.start()]);
    const { pid, children } = (await daemon.wake('plain')).json;
    const { pid: bystanding } = (await bystander.wake('plain')).json;
    const leftovers: readonly number[] = [pid, ...children];
    process.kill(at.guardian()!.pid, 'SIGKILL');
    await killed(daemon);
    expect(leftovers.map(isAlive)).toEqual([true, true, true]);

    // A start that may not listen is no start, and touches nothing.
    at.write({ listen: `127.0.0.1:${bystander.port}`, agents: { plain: trouble('forks') } });
    const refused = at.run();
    expect((await refused.exit).code).toBe(1);
    expect(refused.output).toBe(`listen: cannot listen on 127.0.0.1:${bystander.port}: another process listens there`);
    at.write({ admin_listen: `127.0.0.1:${bystander.port}`, agents: { plain: trouble('forks') } });
    const again = at.run();
    expect((await again.exit).code).toBe(1);
    expect(again.output).toMatch(/^admin_listen: cannot listen on /);
    expect(leftovers.map(isAlive)).toEqual([true, true, true]);

    at.write({ agents: { plain: trouble('forks') } });
    const next = await at.start();
    expect(leftovers.map(isAlive)).toEqual([false, false, false]);
    expect((await next.view('plain')).state).toBe('sleeping');
    expect((await next.wake('plain')).json.pid).not.toBe(pid);
    expect((await bystander.call('plain')).json.pid).toBe(bystanding);
  });

  it('K: the guardian is started again when somebody ends it', async ({ home }) => {
    const at = home({ agents: { plain } });
    const daemon = await at.start();
    await daemon.wake('plain');
    process.kill(at.guardian()!.pid, 'SIGKILL');
    await daemon.run.logged('guardian ended; it is started again');
    while (at.guardian() === undefined) await pause(50);
    // It is seen before it was told whom to guard; a daemon that answers has told it.
    expect((await daemon.call('plain')).status).toBe(200);
    await killed(daemon);
    expect(await untilGone(() => at.processes(), 120_000)).toEqual([]);
  });

  it('a second daemon on the same state_dir exits 75, and the first goes on unharmed with its agents', async ({ home }) => {
    const at = home({ agents: { plain } });
    const daemon = await at.start();
    const { pid } = (await daemon.wake('plain')).json;
    await expectInUse(at, daemon);
    await expectInUse(at, daemon);
    expect((await daemon.call('plain')).json.pid).toBe(pid);
    expect(daemon.eventsOf('plain')).toEqual(['agent.wake', 'agent.starting', 'agent.ready']);
    expect((await daemon.admin('/readyz')).status).toBe(200);
  });
});

async function killed(daemon: Daemon): Promise<void> {
  daemon.run.signal('SIGKILL');
  expect(await daemon.run.exit).toEqual({ code: null, signal: 'SIGKILL' });
}

async function expectInUse(at: Home, daemon: Daemon): Promise<void> {
  const second = at.run();
  expect(await second.exit).toEqual({ code: 75, signal: null });
  expect(second.output).toBe(
    `state_dir ${at.stateDir} is in use by the daemon with pid ${daemon.run.pid}; stop that one first, or give this one a state_dir of its own`,
  );
}
