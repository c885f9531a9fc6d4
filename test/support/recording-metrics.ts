import type { LabelsOf, MetricName } from '../../src/contract/metrics.ts';
import type { Counter, Gauge, Histogram, Metrics } from '../../src/ports/metrics.ts';

/** Keeps figures in a map, keyed `name{label="value",...}` with the labels in alphabetical order. */
export class RecordingMetrics implements Metrics {
  readonly values = new Map<string, number>();
  readonly observations = new Map<string, number[]>();

  counter<N extends MetricName>(name: N, labels: LabelsOf<N>): Counter {
    const key = keyOf(name, labels);
    return { add: (amount) => void this.values.set(key, (this.values.get(key) ?? 0) + amount) };
  }

  gauge<N extends MetricName>(name: N, labels: LabelsOf<N>): Gauge {
    const key = keyOf(name, labels);
    return { set: (value) => void this.values.set(key, value) };
  }

  histogram<N extends MetricName>(name: N, labels: LabelsOf<N>): Histogram {
    const key = keyOf(name, labels);
    return { observe: (value) => void this.observations.set(key, [...(this.observations.get(key) ?? []), value]) };
  }

  forget(agent: string): void {
    for (const key of this.values.keys()) if (key.includes(`agent="${agent}"`)) this.values.delete(key);
    for (const key of this.observations.keys()) if (key.includes(`agent="${agent}"`)) this.observations.delete(key);
  }

  async expose(): Promise<{ contentType: string; text: string }> {
    return { contentType: 'text/plain', text: [...this.values].map(([key, value]) => `${key} ${value}\n`).join('') };
  }
}

function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.keys(labels)
    .sort()
    .map((label) => `${label}="${labels[label] ?? ''}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;
}
