import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, median, residentMegabytes, tracked } from './measure.ts';
import { ENTRY } from './peers.ts';
import type { Section } from './report.ts';

/** How long the daemon takes from its first instruction to listening, and what it costs at rest with everybody asleep. */
const SIZES = [1, 100, 1000] as const;
const GOAL = { agents: 100, withinMs: 500 } as const;
const SETTLES_MS = 1000;
const REST_MS = 3000;

export const sleepers = (count: number): readonly string[] =>
  Array.from(
    { length: count },
    (_, index) => `  agent-${index}: { hostname: agent-${index}.localhost, process: { command: [node, none.js] } }`,
  );

interface Rest {
  readonly residentMb: number;
  readonly idleCpuPercent: number;
}

/** What a daemon that nobody calls takes of the machine, without its agents. */
export async function rest(pid: number): Promise<Rest> {
  await sleep(SETTLES_MS);
  const before = cpuSeconds([pid]);
  await sleep(REST_MS);
  return { residentMb: residentMegabytes([pid]), idleCpuPercent: ((cpuSeconds([pid]) - before) / (REST_MS / 1000)) * 100 };
}

interface Start {
  readonly toListeningMs: number;
  readonly rest: Rest | null;
}

async function start(agents: number, directory: string, rests: boolean): Promise<Start> {
  const file = join(mkdtempSync(join(directory, 'start-')), 'orchestrator.yaml');
  writeFileSync(file, `listen: 127.0.0.1:0\nadmin_listen: 127.0.0.1:0\nagents:\n${sleepers(agents).join('\n')}\n`);
  // On whatever core the kernel likes, as a daemon starts.
  const command = [process.execPath, ENTRY, 'serve', '--config', file] as const;
  const began = performance.now();
  const child = tracked(command, { stdio: ['ignore', 'pipe', 'ignore'] });
  const gone = once(child, 'exit');
  try {
    await new Promise<void>((resolve, reject) => {
      child.stdout?.on('data', (chunk: Buffer) => chunk.toString().includes('daemon is up') && resolve());
      child.once('exit', () => reject(new Error('the daemon ended')));
    });
    const toListeningMs = performance.now() - began;
    return { toListeningMs, rest: rests ? await rest(child.pid ?? 0) : null };
  } finally {
    child.kill('SIGTERM');
    await gone;
  }
}

/** By turns, as everything else; at rest it is looked at in the last round. */
export async function measureStart(directory: string, rounds: number): Promise<Section> {
  const runs = new Map<number, Start[]>(SIZES.map((agents) => [agents, []]));
  for (let round = 0; round < rounds; round += 1)
    for (const [agents, starts] of runs) starts.push(await start(agents, directory, round === rounds - 1));
  const toListening = (agents: number): number => median((runs.get(agents) ?? []).map((each) => each.toListeningMs));
  const reached = toListening(GOAL.agents);
  return {
    id: 'start',
    verdicts: [
      {
        what: `start with ${GOAL.agents} agents, to listening`,
        goal: `< ${GOAL.withinMs} ms`,
        reached: `${reached.toFixed(0)} ms`,
        met: reached < GOAL.withinMs,
      },
    ],
    columns: ['agents, all asleep', 'start to listening, ms', 'RSS at rest, MB', 'idle CPU, % of a core', 'starts'],
    rows: [...runs].map(([agents, starts]) => {
      const last = starts.at(-1)?.rest;
      return [
        `${agents}`,
        toListening(agents).toFixed(0),
        last?.residentMb.toFixed(0) ?? '-',
        last?.idleCpuPercent.toFixed(1) ?? '-',
        `${starts.length}`,
      ];
    }),
    note: null,
    faults: [],
    runs: Object.fromEntries(runs),
  };
}
