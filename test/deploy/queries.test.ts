import { beforeAll, describe, expect, it } from 'vitest';
import { AGENT_STATES, SLEEP_REASONS, WAKE_CAUSES } from '../../src/contract/events.ts';
import { METRICS, type MetricName, type MetricShape } from '../../src/contract/metrics.ts';
import { PROBLEMS } from '../../src/contract/problems.ts';
import { openMetrics } from '../../src/system/metrics.ts';
import { type Query, alertQueries, board, boardQueries, groupedBy, usesOf } from './queries.ts';

/** Labels that Prometheus itself puts on everything. */
const OF_PROMETHEUS = ['job', 'instance'];
const VALUES: Readonly<Record<string, readonly string[]>> = {
  state: AGENT_STATES,
  cause: WAKE_CAUSES,
  reason: SLEEP_REASONS,
  problem: Object.keys(PROBLEMS),
};

const labelsOf = new Map<string, readonly string[]>([['up', OF_PROMETHEUS]]);
beforeAll(async () => {
  for (const name of Object.keys(METRICS) as MetricName[]) {
    const { kind, labels }: MetricShape = METRICS[name];
    const known = [...labels, ...OF_PROMETHEUS];
    if (kind === 'histogram') {
      labelsOf.set(`reveille_${name}_bucket`, [...known, 'le']);
      for (const end of ['sum', 'count']) labelsOf.set(`reveille_${name}_${end}`, known);
    } else labelsOf.set(`reveille_${name}`, known);
  }
  // What Node's own have for labels the library does not say before they have moved; those of garbage are told by kind.
  const { text } = await openMetrics().expose();
  for (const [, name = '', kind] of text.matchAll(/^# TYPE ((?:nodejs|process)_\w+) (\w+)$/gm)) {
    for (const whole of kind === 'histogram' ? [`${name}_sum`, `${name}_count`] : [name]) {
      labelsOf.set(whole, [...OF_PROMETHEUS, 'kind']);
    }
  }
});

function wrongIn(queries: readonly Query[]): string[] {
  return queries.flatMap((query) => {
    const uses = usesOf(query);
    const known = uses.flatMap(({ name }) => labelsOf.get(name) ?? []);
    return [
      ...(uses.length === 0 ? [`${query.where}: uses no metric`] : []),
      ...uses.filter(({ name }) => !labelsOf.has(name)).map(({ name }) => `${query.where}: there is no ${name}`),
      ...uses.flatMap(({ name, labels }) =>
        Object.entries(labels).flatMap(([label, values]) => [
          ...(labelsOf.get(name)?.includes(label) === true ? [] : [`${query.where}: ${name} has no label ${label}`]),
          ...values
            .filter((value) => VALUES[label] !== undefined && value !== '.*' && !VALUES[label].includes(value))
            .map((value) => `${query.where}: ${label} is never ${value}`),
        ]),
      ),
      ...groupedBy(query)
        .filter((label) => !known.includes(label))
        .map((label) => `${query.where}: groups by ${label}, which nothing in it has`),
    ];
  });
}

describe('the Grafana board', () => {
  it('asks only for metrics, labels and values that there are', () => {
    expect(boardQueries.length).toBeGreaterThan(30);
    expect(wrongIn(boardQueries)).toEqual([]);
  });

  it('shows every metric of the contract, and every state an agent can have', () => {
    const shown = new Set(boardQueries.flatMap((query) => usesOf(query).map(({ name }) => name)));
    const isShown = (name: string) => [name, `${name}_bucket`, `${name}_count`, `${name}_sum`].some((one) => shown.has(one));
    expect(Object.keys(METRICS).filter((name) => !isShown(`reveille_${name}`))).toEqual([]);
    const timeline = boardQueries.find(({ where }) => where === 'State of each agent');
    expect(usesOf(timeline!).flatMap(({ labels }) => labels['state'])).toEqual(expect.arrayContaining([...AGENT_STATES]));
  });

  it('has panels that do not lie on each other, with ids of their own', () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of board.panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken.get(`${x},${y}`), title).toBeUndefined();
          taken.set(`${x},${y}`, title);
        }
      }
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    }
    expect(new Set(board.panels.map(({ id }) => id)).size).toBe(board.panels.length);
  });

  it('uses no variable that it does not ask for', () => {
    const asked = new Set(['__rate_interval', ...board.templating.list.map(({ name }) => name)]);
    const used = [...JSON.stringify(board).matchAll(/\$\{?(\w+)/g)].map(([, name = '']) => name);
    expect(used.filter((name) => !asked.has(name))).toEqual([]);
  });
});

describe('the alert rules', () => {
  it('ask only for metrics, labels and values that there are', () => {
    expect(alertQueries.length).toBeGreaterThan(8);
    expect(wrongIn(alertQueries)).toEqual([]);
  });

  it('would be found out otherwise', () => {
    const wrong = (text: string) => wrongIn([{ where: 'x', text }]);
    expect(wrong('rate(reveille_request_total[5m])')).toEqual(['x: there is no reveille_request_total']);
    expect(wrong('reveille_agent_state{state="asleep"}')).toEqual(['x: state is never asleep']);
    expect(wrong('sum by (agent) (reveille_refused_total)')).toEqual(['x: groups by agent, which nothing in it has']);
    expect(wrong('reveille_refused_total{agent="kai"}')).toEqual(['x: reveille_refused_total has no label agent']);
  });
});
