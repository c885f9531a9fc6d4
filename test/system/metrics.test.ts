import { describe, expect, it } from 'vitest';
import { METRICS, type MetricName } from '../../src/contract/metrics.ts';
import { openMetrics } from '../../src/system/metrics.ts';

const linesOf = async (metrics: ReturnType<typeof openMetrics>, name: string): Promise<readonly string[]> =>
  (await metrics.expose()).text.split('\n').filter((line) => line.startsWith(name));

describe('the metrics', () => {
  it('exposes every metric of the contract under the prefix, with its help and kind, before any has moved', async () => {
    const { text, contentType } = await openMetrics().expose();
    expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
    for (const [name, { help, kind }] of Object.entries(METRICS)) {
      expect(text).toContain(`# HELP reveille_${name} ${help}\n`);
      expect(text).toContain(`# TYPE reveille_${name} ${kind}\n`);
    }
  });

  it('has the series without labels at 0 from the start', async () => {
    const metrics = openMetrics();
    const unlabelled = (Object.keys(METRICS) as MetricName[]).filter((name) => METRICS[name].labels.length === 0);
    expect(unlabelled).not.toEqual([]);
    for (const name of unlabelled) expect(await linesOf(metrics, `reveille_${name}`)).toEqual([`reveille_${name} 0`]);
  });

  it('adds to counters and sets gauges, one series for each set of label values', async () => {
    const metrics = openMetrics();
    metrics.counter('wakes_total', { agent: 'kai', cause: 'request' }).add(1);
    metrics.counter('wakes_total', { cause: 'request', agent: 'kai' }).add(2);
    metrics.counter('wakes_total', { agent: 'kai', cause: 'api' }).add(1);
    metrics.gauge('requests_in_flight', { agent: 'kai' }).set(7);
    metrics.gauge('requests_in_flight', { agent: 'kai' }).set(3);
    expect(await linesOf(metrics, 'reveille_wakes_total')).toEqual([
      'reveille_wakes_total{agent="kai",cause="request"} 3',
      'reveille_wakes_total{agent="kai",cause="api"} 1',
    ]);
    expect(await linesOf(metrics, 'reveille_requests_in_flight')).toEqual(['reveille_requests_in_flight{agent="kai"} 3']);
  });

  it('puts an observation into every bucket it fits, the bound included, and into the sum and the count', async () => {
    const metrics = openMetrics();
    const wakes = metrics.histogram('wake_duration_seconds', { agent: 'kai', result: 'ready' });
    for (const seconds of [0.05, 0.06, 2, 1000]) wakes.observe(seconds);
    const lines = await linesOf(metrics, 'reveille_wake_duration_seconds');
    const bucket = (le: string) =>
      lines
        .find((line) => line.includes(`le="${le}"`))
        ?.split(' ')
        .at(-1);
    expect(['0.05', '0.1', '1', '2', '120', '+Inf'].map(bucket)).toEqual(['1', '2', '2', '3', '3', '4']);
    expect(lines.slice(-2)).toEqual([
      'reveille_wake_duration_seconds_sum{agent="kai",result="ready"} 1002.11',
      'reveille_wake_duration_seconds_count{agent="kai",result="ready"} 4',
    ]);
  });

  it('forgets every series of an agent and none of another', async () => {
    const metrics = openMetrics();
    for (const agent of ['kai', 'kaia']) {
      metrics.gauge('agent_state', { agent, state: 'ready' }).set(1);
      metrics.histogram('request_duration_seconds', { agent }).observe(1);
    }
    metrics.forget('kai');
    const { text } = await metrics.expose();
    expect(text).not.toContain('agent="kai"');
    expect(text).toContain('reveille_agent_state{agent="kaia",state="ready"} 1');
  });

  it('refuses a counter that falls and a name used as another kind', () => {
    const metrics = openMetrics();
    expect(() => metrics.counter('restarts_total', { agent: 'kai' }).add(-1)).toThrow('a counter only rises');
    expect(() => metrics.counter('restarts_total', { agent: 'kai' }).add(Number.NaN)).toThrow('a counter only rises');
    expect(() => metrics.gauge('restarts_total', { agent: 'kai' })).toThrow('restarts_total is used as the kind');
  });

  it('exposes the figures of Node, less the gauges that end in _total', async () => {
    const { text } = await openMetrics().expose();
    expect(text).toContain('# TYPE process_resident_memory_bytes gauge');
    expect(text).toContain('# TYPE nodejs_eventloop_lag_seconds gauge');
    expect(text).not.toMatch(/^# TYPE \S+_total gauge$/m);
  });
});
