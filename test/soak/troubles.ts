import { readFileSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Prng } from '../../src/std/prng.ts';
import { type BenchDaemon, now } from '../bench/daemon.ts';
import type { Causes } from './causes.ts';

/** What happens to agents while they are asked: each entry is done again and again, at random times, until the soak is over. */
const ROOT = resolve(import.meta.dirname, '../..');
const LIFE = { health: { check_interval: '5s' }, on_sleeping: 'hold' };
const idle = (settings: object): object => ({ idle: { timeout: '1h', drain_timeout: '2s', ...settings } });
const odd = { command: [process.execPath, resolve(import.meta.dirname, 'odd-agent.ts')] };
const agent = (name: string, more: object): object => ({ hostname: `${name}.test`, process: odd, ...LIFE, ...idle({}), ...more });

/** The whole config. What differs between two of them is what a reload has to do. */
export function settingsOf(turn: number): object {
  const agents: Record<string, object> = {
    hello: agent('hello', { process: { command: [process.execPath, 'agents/hello/main.ts'], cwd: ROOT } }),
    steady: agent('steady', {}),
    odd: agent('odd', {}),
    sleepy: agent('sleepy', {}),
    ice: agent('ice', idle({ freeze_after: '300ms' })),
    frozen: agent('frozen', idle({ freeze_after: '50ms' })),
    cold: agent('cold', idle({ timeout: '1s' })),
    refuser: agent('refuser', { ...idle({ timeout: '1s' }), on_sleeping: 'refuse' }),
  };
  if (turn % 2 === 0) agents['guest'] = agent('guest', {});
  return {
    // By default it is 2 s; where the machine has too much to do, nobody is given a turn for longer.
    limits: { in_flight: 1000 - (turn % 3), connect: '30s' },
    trusted_proxies: turn % 5 === 0 ? ['loopback'] : ['loopback', '192.0.2.0/24'],
    wake_limits: { per_client: null, total: null },
    shutdown: { drain_timeout: '5s' },
    agents,
  };
}

/** Ready, frozen and the like: all that stand in the config and are asked for. */
export const WOKEN = ['hello', 'steady', 'odd', 'sleepy', 'ice', 'frozen', 'guest'] as const;

/** Until `isOver`. Whatever goes wrong in here is no failure of a request, and is thrown. */
export async function trouble(daemon: BenchDaemon, causes: Causes, random: Prng, isOver: () => boolean): Promise<void> {
  const again = async (leastMs: number, mostMs: number, once: () => Promise<void>): Promise<void> => {
    for (;;) {
      const until = now() + leastMs + random.below(mostMs - leastMs);
      while (now() < until) {
        if (isOver()) return;
        await pause(100);
      }
      await once();
    }
  };
  let turn = 0;
  await Promise.all([
    again(7000, 15_000, () => kill(daemon, causes)),
    again(8000, 20_000, () => sleep(daemon, causes, random.below(2) === 0)),
    again(10_000, 25_000, () => reload(daemon, causes, (turn += 1))),
    again(5000, 12_000, () => stall(daemon, causes, 200 + random.below(1500))),
  ]);
}

async function kill(daemon: BenchDaemon, causes: Causes): Promise<void> {
  const [pid] = processesOf(daemon.pid, 'odd');
  // It is just being started again.
  if (pid === undefined) return;
  const from = now();
  const over = causes.begin('agent killed', 'odd');
  process.kill(pid, 'SIGKILL');
  await daemon.marks.first('agent.sleep odd', from);
  over();
}

async function sleep(daemon: BenchDaemon, causes: Causes, force: boolean): Promise<void> {
  const from = now();
  const over = causes.begin(force ? 'agent forced to sleep' : 'agent told to sleep', 'sleepy');
  const { status } = await daemon.admin(`/admin/agents/sleepy/sleep?force=${force}`, 'POST');
  if (status !== 202) throw new Error(`the order to sleep was answered ${status}`);
  // It may have been asleep already; and it goes on where its work is not done in time.
  const ends = ['agent.sleep sleepy', 'agent.sleep_refused sleepy'].map((what) => daemon.marks.first(what, from));
  await Promise.race([...ends.map((end) => end.catch(() => undefined)), pause(5000)]);
  over();
}

let endOfAbsence = (): void => undefined;

async function reload(daemon: BenchDaemon, causes: Causes, turn: number): Promise<void> {
  if (turn % 2 === 1) endOfAbsence = causes.begin('agent removed by reload', 'guest');
  else causes.note('reloads');
  const { status, text } = await daemon.reload(settingsOf(turn));
  if (status !== 200) throw new Error(`the reload was answered ${status}: ${text}`);
  if (turn % 2 === 0) endOfAbsence();
}

/** An agent that stops in the middle of what it does, as one that is paused, swapped out or busy. Nothing may fail by it. */
async function stall(daemon: BenchDaemon, causes: Causes, ms: number): Promise<void> {
  const [pid] = processesOf(daemon.pid, 'steady');
  if (pid === undefined) return;
  causes.note('stalls');
  process.kill(pid, 'SIGSTOP');
  await pause(ms);
  process.kill(pid, 'SIGCONT');
}

/** Children of the daemon that run this agent, known by what the daemon put into their environment. */
function processesOf(daemonPid: number, name: string): readonly number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
        return (
          parent === daemonPid && readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`REVEILLE_AGENT=${name}`)
        );
      } catch {
        return false;
      }
    })
    .map(Number);
}
