import { median } from './measure.ts';
import type { Section, Verdict } from './report.ts';
import type { Row } from './rows.ts';
import type { RowResult } from './throughput.ts';
import type { Figures } from './wrk.ts';

/** What Reveille wants to reach in the rows under full load, as ratios of rates within one run, and the table of a row. */
interface Goal {
  readonly against: string;
  readonly atLeast: number;
}

const GOALS: Readonly<Record<string, readonly Goal[]>> = {
  small: [
    { against: 'nginx', atLeast: 0.7 },
    { against: 'caddy', atLeast: 2 },
    { against: 'configurable-http-proxy', atLeast: 2.5 },
    { against: '@fastify/http-proxy', atLeast: 1.7 },
  ],
  headers: [{ against: 'nginx', atLeast: 0.58 }],
  large: [{ against: 'nginx', atLeast: 1 }],
  upload: [{ against: 'nginx', atLeast: 0.5 }],
};
const OURS = 'reveille';
const BASE = 'nginx';

/** Whose every round is measured: ours, what it is held against, and the base of the table. */
export const namedBy = (row: string, peer: string): boolean =>
  peer === OURS || peer === BASE || (GOALS[row] ?? []).some(({ against }) => against === peer);

type Runs = ReadonlyMap<string, readonly Figures[]>;
type Key = 'requestsPerSecond' | 'cpuMicrosPerRequest';

/** The median of the ratios of each round: what slowed the machine in a round slowed both. */
export function ratio(runs: Runs, one: string, other: string, key: Key): number {
  const of = (name: string): readonly Figures[] => runs.get(name) ?? [];
  const rounds = Math.min(of(one).length, of(other).length);
  return median(
    Array.from({ length: rounds }, (_, round) => (of(one)[round]?.[key] ?? Number.NaN) / (of(other)[round]?.[key] ?? Number.NaN)),
  );
}

const shown = (value: number, digits: number): string => (Number.isFinite(value) ? value.toFixed(digits) : '-');

export function sectionOf(row: Pick<Row, 'id' | 'title'>, { runs, faults }: RowResult): Section {
  const verdicts = (GOALS[row.id] ?? []).map(({ against, atLeast }): Verdict => {
    const reached = ratio(runs, OURS, against, 'requestsPerSecond');
    const sound = Number.isFinite(reached) && !faults.has(OURS) && !faults.has(against);
    return {
      what: row.title,
      goal: `>= ${atLeast} x ${against}`,
      reached: shown(reached, 2),
      met: sound ? reached >= atLeast : null,
    };
  });
  const rows = [...runs].map(([name, figures]) => {
    const of = (key: keyof Figures): number => median(figures.map((each) => each[key]));
    return [
      name,
      shown(of('requestsPerSecond'), 0),
      shown(of('cpuMicrosPerRequest'), 1),
      shown(ratio(runs, name, BASE, 'requestsPerSecond'), 2),
      shown(1 / ratio(runs, name, BASE, 'cpuMicrosPerRequest'), 2),
      shown(of('busyPercent'), 0),
      shown(of('p50Ms'), 2),
      shown(of('p99Ms'), 2),
      `${figures.length}`,
    ];
  });
  return {
    id: row.id,
    verdicts,
    columns: [
      row.title,
      'requests/s',
      'CPU us/request',
      'rate : nginx',
      'per CPU : nginx',
      'core busy %',
      'p50 ms',
      'p99 ms',
      'runs',
    ],
    rows,
    note: null,
    faults: [...faults].map(([name, fault]) => `${name} (${fault})`),
    runs: Object.fromEntries(runs),
  };
}
