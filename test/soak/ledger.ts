import { openFiles, residentKilobytes } from '../withstand/resident.ts';
import type { Visited } from './visit.ts';

/** What the soak has seen: requests by kind, failures by cause, and what the daemon holds. */
interface Row {
  requests: number;
  readonly failures: Map<string, number>;
}

type Files = Readonly<Record<string, number>>;

interface Sample {
  readonly minute: number;
  readonly residentKilobytes: number;
  readonly files: Files;
  readonly heapMegabytes: number;
  /** Buffers and the like. */
  readonly externalMegabytes: number;
}

/** What is loaded, compiled and filled once. */
const WARM_UP_MINUTES = 3;
const SHOWN_MAX = 50;

export class Ledger {
  readonly unexplained: string[] = [];
  private readonly rows = new Map<string, Row>();
  private readonly samples: Sample[] = [];
  private readonly pid: number;
  private readonly began = performance.now();

  constructor(pid: number) {
    this.pid = pid;
  }

  /** `cause`: what explains what was wrong, if anything does. */
  count(kind: string, { agent, wrong }: Visited, cause: string | null): void {
    const row = this.rows.get(kind) ?? { requests: 0, failures: new Map<string, number>() };
    this.rows.set(kind, row);
    row.requests += 1;
    if (wrong === null) return;
    row.failures.set(cause ?? 'no cause', (row.failures.get(cause ?? 'no cause') ?? 0) + 1);
    if (cause === null) this.complain(`${kind} at ${agent}: ${wrong}`);
  }

  complain(what: string): void {
    this.unexplained.push(what);
    if (this.unexplained.length <= SHOWN_MAX) console.log(`  WITHOUT A CAUSE, at minute ${this.minute.toFixed(2)}: ${what}`);
  }

  sample(heapMegabytes: number, externalMegabytes: number): void {
    this.samples.push({
      minute: this.minute,
      residentKilobytes: residentKilobytes(this.pid),
      files: openFiles(this.pid),
      heapMegabytes,
      externalMegabytes,
    });
  }

  /** One line, for the minute. */
  get line(): string {
    const last = this.samples.at(-1);
    const causes = listed(sum([...this.rows.values()].map(({ failures }) => failures)));
    return (
      `minute ${this.minute.toFixed(0)}: ${this.requests} requests, failed: ${causes === '' ? 'none' : causes}; ` +
      `RSS ${((last?.residentKilobytes ?? 0) / 1024).toFixed(0)} MB, heap ${(last?.heapMegabytes ?? 0).toFixed(0)} MB, external ${(last?.externalMegabytes ?? 0).toFixed(0)} MB, ${total(last?.files ?? {})} open files`
    );
  }

  /** The tables, in Markdown. `filesAtStart` and `filesAtEnd`: with nothing under way and the same agents awake. */
  table(filesAtStart: Files, filesAtEnd: Files, troubles: Readonly<Record<string, number>>): string {
    const kinds = [...this.rows]
      .sort(([, a], [, b]) => b.requests - a.requests)
      .map(([kind, { requests, failures }]) => `| ${kind} | ${requests} | ${listed(failures) || 'none'} |`);
    const steady = this.samples.filter(({ minute }) => minute >= WARM_UP_MINUTES);
    const half = this.samples.slice(Math.floor(this.samples.length / 2));
    const resident = (sample: Sample): readonly [number, number] => [sample.minute, sample.residentKilobytes];
    const first = steady[0] ?? this.samples[0];
    const last = this.samples.at(-1);
    const megabytes = (sample: Sample | undefined): string => ((sample?.residentKilobytes ?? 0) / 1024).toFixed(0);
    const heap = slope(steady.map(({ minute, heapMegabytes }) => [minute, heapMegabytes * 1024]));
    return [
      '| kind | requests | failed, by cause |\n|---|---|---|',
      ...kinds,
      `| **all** | ${this.requests} | ${listed(sum([...this.rows.values()].map(({ failures }) => failures))) || 'none'} |`,
      '\n| what | figure |\n|---|---|',
      `| minutes | ${this.minute.toFixed(1)} |`,
      `| failures without a cause | ${this.unexplained.length} |`,
      `| RSS after ${WARM_UP_MINUTES} minutes, and at the end | ${megabytes(first)} MB, ${megabytes(last)} MB |`,
      `| slope of RSS after ${WARM_UP_MINUTES} minutes, by least squares | ${slope(steady.map(resident)).toFixed(0)} KB a minute |`,
      `| of it in the second half, when V8 has taken what it wants for its young objects | ${slope(half.map(resident)).toFixed(0)} KB a minute |`,
      `| slope of the heap in use | ${heap.toFixed(0)} KB a minute |`,
      `| open files at rest, before | ${total(filesAtStart)}: ${listed(new Map(Object.entries(filesAtStart)))} |`,
      `| open files at rest, after | ${total(filesAtEnd)}: ${listed(new Map(Object.entries(filesAtEnd)))} |`,
      `| done to agents | ${listed(new Map(Object.entries(troubles)))} |`,
    ].join('\n');
  }

  private get minute(): number {
    return (performance.now() - this.began) / 60_000;
  }

  private get requests(): number {
    return [...this.rows.values()].reduce((all, { requests }) => all + requests, 0);
  }
}

/** Of y over x, by least squares. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0) / values.length;
  const meanX = mean(points.map(([x]) => x));
  const meanY = mean(points.map(([, y]) => y));
  const covariance = mean(points.map(([x, y]) => (x - meanX) * (y - meanY)));
  return covariance / mean(points.map(([x]) => (x - meanX) ** 2));
}

function sum(counts: readonly ReadonlyMap<string, number>[]): Map<string, number> {
  const all = new Map<string, number>();
  for (const [what, count] of counts.flatMap((each) => [...each])) all.set(what, (all.get(what) ?? 0) + count);
  return all;
}

const total = (files: Files): number => Object.values(files).reduce((all, count) => all + count, 0);

const listed = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ');
