import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

/**
 * What a run found, as it is kept in .test-results/bench.json, and the markdown that is made of it: first every goal beside
 * what was reached, then the figures.
 */
export interface Verdict {
  readonly what: string;
  readonly goal: string;
  readonly reached: string;
  /** Null: it could not be told, since one of the two is not there or failed. */
  readonly met: boolean | null;
}

export interface Section {
  readonly id: string;
  readonly verdicts: readonly Verdict[];
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What is to be known of the figures. */
  readonly note: string | null;
  /** What answered wrong, or not at all. */
  readonly faults: readonly string[];
  /** Every single run. */
  readonly runs: unknown;
}

export interface Report {
  readonly date: string;
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly method: string;
  /** How much of the machine others took meanwhile. */
  readonly othersPercent: number;
  readonly absent: readonly string[];
  readonly sections: readonly Section[];
}

export function machine(): string {
  const [cpu] = cpus();
  const model = cpu?.model
    .replace(/\((?:R|TM)\)|@.*| CPU| Processor/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  return `${cpus().length} cores of ${model ?? 'an unknown kind'}, ${(totalmem() / 2 ** 30).toFixed(0)} GB, Linux ${release()}`;
}

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const table = (columns: readonly string[], rows: readonly (readonly string[])[]): string =>
  [line(columns), `|${'---|'.repeat(columns.length)}`, ...rows.map(line)].join('\n');

/** Above this the machine was somebody else's. */
const QUIET_PERCENT = 10;

function others(percent: number): string {
  const took = `Other work took ${percent.toFixed(0)} % of the machine meanwhile`;
  return percent < QUIET_PERCENT ? `${took}.` : `**${took}, so even the ratios are not to be relied on.**`;
}

const MET = { true: 'yes', false: '**no**', null: '?' } as const;

export function markdown({ date, machine, versions, method, othersPercent, absent, sections }: Report): string {
  const told = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const intro = `Measured on ${date.slice(0, 10)}: ${machine}; ${told.join(', ')}. ${method} ${others(othersPercent)}`;
  const left = absent.length === 0 ? [] : [`Left out, since they are not there: ${absent.join(', ')}.`];
  const verdicts = sections.flatMap((section) => section.verdicts);
  const goals = table(
    ['what', 'goal', 'reached', 'met'],
    verdicts.map(({ what, goal, reached, met }) => [what, goal, reached, MET[`${met}`]]),
  );
  const bodies = sections.flatMap(({ columns, rows, note, faults }) => [
    table(columns, rows),
    ...(note === null ? [] : [note]),
    ...(faults.length === 0 ? [] : [`Failed: ${faults.join('; ')}.`]),
  ]);
  return [intro, ...left, ...(verdicts.length === 0 ? [] : [goals]), ...bodies].join('\n\n');
}

const PAGE = 'docs/performance.md';
const BETWEEN = /(<!-- npm run bench -->\n)[^]*?(\n<!-- end of it -->)/;

/** Puts the figures where the page shows them. */
export function writeToPage(text: string): void {
  const page = readFileSync(PAGE, 'utf8');
  if (!BETWEEN.test(page)) throw new Error(`${PAGE} has no place for them`);
  writeFileSync(
    PAGE,
    page.replace(BETWEEN, (_, before: string, after: string) => `${before}${text}${after}`),
  );
}
