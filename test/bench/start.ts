import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, residentMegabytes } from './measure.ts';

/** How long the daemon takes from its first instruction to listening, and what it costs at rest with everybody asleep. */
export interface StartFigures {
  readonly agents: number;
  readonly toListeningMs: number;
  readonly residentMb: number;
  readonly idleCpuPercent: number;
}

const REST_MS = 3000;

export async function measureStart(agents: number): Promise<StartFigures> {
  const directory = mkdtempSync(join(tmpdir(), 'reveille-bench-'));
  const file = join(directory, 'orchestrator.yaml');
  const lines = Array.from(
    { length: agents },
    (_, index) => `  agent-${index}: { hostname: agent-${index}.localhost, process: { command: [node, none.js] } }`,
  );
  writeFileSync(file, `listen: 127.0.0.1:0\nadmin_listen: 127.0.0.1:0\nagents:\n${lines.join('\n')}\n`);
  const begun = performance.now();
  const child = spawn(process.execPath, ['src/cli/main.ts', 'serve', '--config', file], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => chunk.toString().includes('daemon is up') && resolve());
      child.once('exit', () => reject(new Error('the daemon ended')));
    });
    const toListeningMs = performance.now() - begun;
    const pid = child.pid ?? 0;
    await sleep(1000);
    const before = cpuSeconds(pid);
    await sleep(REST_MS);
    const idleCpuPercent = ((cpuSeconds(pid) - before) / (REST_MS / 1000)) * 100;
    return { agents, toListeningMs, residentMb: residentMegabytes(pid), idleCpuPercent };
  } finally {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    if (child.exitCode === null) await gone;
    rmSync(directory, { recursive: true, force: true });
  }
}
