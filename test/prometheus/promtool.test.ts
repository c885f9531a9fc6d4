import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { METRICS, type MetricName } from '../../src/contract/metrics.ts';
import { openMetrics } from '../../src/system/metrics.ts';

const lint = (text: string) => {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  return { status, said: stdout + stderr };
};

describe('promtool', () => {
  it('finds nothing to say about what is exposed once every metric of the contract has moved', async () => {
    const metrics = openMetrics();
    for (const name of Object.keys(METRICS) as MetricName[]) {
      const { kind, labels } = METRICS[name];
      // What goes for a label is not known to the types any more, since the name is any name.
      const values = Object.fromEntries(labels.map((label) => [label, `"odd"\n\\${label}`])) as never;
      if (kind === 'counter') metrics.counter(name, values).add(1);
      else if (kind === 'gauge') metrics.gauge(name, values).set(0.5);
      else metrics.histogram(name, values).observe(0.5);
    }
    const { text } = await metrics.expose();
    for (const name of Object.keys(METRICS)) expect(text).toMatch(new RegExp(`^reveille_${name}\\S* [0-9.]*[1-9]`, 'm'));
    expect(lint(text)).toEqual({ status: 0, said: '' });
  });

  it('would say so if there were', () => {
    expect(lint('# TYPE x_total gauge\nx_total 1\n')).toMatchObject({ status: 3, said: expect.stringContaining('x_total') });
  });
});
