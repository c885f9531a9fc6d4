import type { LabelsOf, MetricName } from '../contract/metrics.ts';

/** One series. Hold on to it where it is hot: looking it up by labels costs more than moving it. */
export interface Counter {
  add(amount: number): void;
}
export interface Gauge {
  set(value: number): void;
}
export interface Histogram {
  /** `value` in the unit that the name of the metric says. */
  observe(value: number): void;
}

/** Where figures go. The kind of `name` must fit the method; the adapter asserts it. */
export interface Metrics {
  counter<N extends MetricName>(name: N, labels: LabelsOf<N>): Counter;
  gauge<N extends MetricName>(name: N, labels: LabelsOf<N>): Gauge;
  histogram<N extends MetricName>(name: N, labels: LabelsOf<N>): Histogram;
  /** Drops every series that carries this agent: it was removed. */
  forget(agent: string): void;
  /** Prometheus text format 0.0.4 of everything. */
  expose(): Promise<{ readonly contentType: string; readonly text: string }>;
}
