import { type Metric, Registry, collectDefaultMetrics } from 'prom-client';
import { type LabelsOf, METRICS, type MetricName, type MetricShape } from '../contract/metrics.ts';
import type { Counter, Gauge, Histogram, Metrics } from '../ports/metrics.ts';
import { assert } from '../std/assert.ts';

/**
 * Our figures, exposed by prom-client beside Node's own. The figures themselves are kept here and handed over when somebody
 * scrapes: moving a counter of prom-client checks and hashes its labels each time (0.3 us, a histogram 0.45 us), and half a
 * dozen of those on every request would be a tenth of what a request costs.
 */
const PREFIX = 'reveille_';
/** Gauges whose names end in `_total`, which is for counters; the same figures are there by type, without it. */
const MISNAMED = /^nodejs_active_.*_total$/;

export function openMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const { name } of registry.getMetricsAsArray()) if (MISNAMED.test(name)) registry.removeSingleMetric(name);

  const families = new Map<MetricName, Family>();
  for (const [name, shape] of Object.entries(METRICS) as [MetricName, MetricShape][]) {
    const family = new Family(PREFIX + name, shape);
    families.set(name, family);
    // A registry asks a metric for its name and for `get()`; its type lists only prom-client's own classes.
    registry.registerMetric(family as unknown as Metric);
  }

  const series = <N extends MetricName>(name: N, kind: MetricShape['kind'], labels: LabelsOf<N>): Series => {
    const family = families.get(name);
    assert(family?.type === kind, `${name} is used as the kind of metric that the contract says`);
    return family.series(labels);
  };
  return {
    counter: (name, labels) => series(name, 'counter', labels),
    gauge: (name, labels) => series(name, 'gauge', labels),
    histogram: (name, labels) => series(name, 'histogram', labels),
    forget: (agent) => {
      for (const family of families.values()) family.forget(agent);
    },
    expose: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}

type Labels = Readonly<Record<string, string>>;
interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** One value and the labels it is for. Which of the methods may be called is for the kind of its family to say. */
class Series implements Counter, Gauge, Histogram {
  readonly labels: Labels;
  readonly bounds: readonly number[];
  /** Value of a counter or gauge, sum of a histogram. */
  value = 0;
  count = 0;
  /** Observations up to each bound and above the one before; those above the last are in `count` only. */
  readonly buckets: number[];

  constructor(labels: Labels, bounds: readonly number[]) {
    this.labels = labels;
    this.bounds = bounds;
    this.buckets = bounds.map(() => 0);
  }

  add(amount: number): void {
    assert(amount >= 0, 'a counter only rises');
    this.value += amount;
  }

  set(value: number): void {
    this.value = value;
  }

  observe(value: number): void {
    assert(value >= 0, 'what a histogram is told is a length or a number of things');
    this.value += value;
    this.count += 1;
    const bucket = this.bounds.findIndex((bound) => value <= bound);
    if (bucket !== -1) this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1;
  }
}

/** All series of one name. `name` and `get` are what a registry of prom-client asks for. */
class Family {
  readonly name: string;
  readonly type: MetricShape['kind'];
  private readonly shape: MetricShape;
  private readonly byLabels = new Map<string, Series>();

  constructor(name: string, shape: MetricShape) {
    this.name = name;
    this.type = shape.kind;
    this.shape = shape;
    // Without labels there is one series, and it is there from the start: a rate over it then sees the first step as well.
    if (shape.labels.length === 0) this.series({});
  }

  series(labels: Labels): Series {
    const key = JSON.stringify(this.shape.labels.map((label) => labels[label]));
    let found = this.byLabels.get(key);
    if (found === undefined) {
      found = new Series(labels, this.shape.buckets ?? []);
      this.byLabels.set(key, found);
    }
    return found;
  }

  /** A series that somebody still holds goes on counting, and is shown no more. */
  forget(agent: string): void {
    for (const [key, { labels }] of this.byLabels) if (labels['agent'] === agent) this.byLabels.delete(key);
  }

  async get(): Promise<{ name: string; help: string; type: string; values: readonly Sample[] }> {
    const values = [...this.byLabels.values()].flatMap((series) =>
      this.type === 'histogram'
        ? histogramSamples(this.name, series)
        : [{ metricName: this.name, labels: series.labels, value: series.value }],
    );
    return { name: this.name, help: this.shape.help, type: this.type, values };
  }
}

/** Buckets are cumulative on the wire, and the last of them, `+Inf`, is the count. */
function histogramSamples(name: string, { labels, bounds, buckets, value, count }: Series): readonly Sample[] {
  let upTo = 0;
  const cumulative = bounds.map((le, at): Sample => {
    upTo += buckets[at] ?? 0;
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: upTo };
  });
  return [
    ...cumulative,
    { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: count },
    { metricName: `${name}_sum`, labels, value },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
