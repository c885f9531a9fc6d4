import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** What a process holds, as the kernel has it. */
export function residentKilobytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN);
}

/** Open files by kind: sockets, pipes, files and what the kernel makes of nothing. */
export function openFiles(pid: number): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    const target = linkOf(`/proc/${pid}/fd/${name}`);
    const kind = /^(\w+):/.exec(target)?.[1] ?? 'file';
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** Empty for a file that was closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

const SAMPLE_EVERY_MS = 200;

/** Looks at the resident memory of a process until it is stopped. */
export class ResidentWatch {
  readonly atStart: number;
  readonly samples: { readonly atMs: number; readonly kilobytes: number }[] = [];
  private readonly timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.atStart = residentKilobytes(pid);
    const began = performance.now();
    const look = (): void => void this.samples.push({ atMs: performance.now() - began, kilobytes: residentKilobytes(pid) });
    look();
    this.timer = setInterval(look, SAMPLE_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  get mostKilobytes(): number {
    return Math.max(...this.samples.map(({ kilobytes }) => kilobytes));
  }

  get growthMegabytes(): number {
    return (this.mostKilobytes - this.atStart) / 1024;
  }

  /** As words: from, to at most, and the growth between. */
  get told(): string {
    const megabytes = (kilobytes: number): string => (kilobytes / 1024).toFixed(0);
    return `RSS ${megabytes(this.atStart)} MB before, ${megabytes(this.mostKilobytes)} MB at most: grew by ${this.growthMegabytes.toFixed(0)} MB`;
  }

  /** Kilobytes a minute, by least squares over what came after `fromMs`. */
  slope(fromMs: number): number {
    const points = this.samples.filter(({ atMs }) => atMs >= fromMs);
    const mean = (of: (point: (typeof points)[number]) => number): number =>
      points.reduce((sum, point) => sum + of(point), 0) / points.length;
    const meanAt = mean(({ atMs }) => atMs);
    const meanKilobytes = mean(({ kilobytes }) => kilobytes);
    const covariance = mean(({ atMs, kilobytes }) => (atMs - meanAt) * (kilobytes - meanKilobytes));
    const variance = mean(({ atMs }) => (atMs - meanAt) ** 2);
    return (covariance / variance) * 60_000;
  }
}
