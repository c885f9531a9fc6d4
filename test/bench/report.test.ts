import { describe, expect, it } from 'vitest';
import { ratio, sectionOf } from './goals.ts';
import { markdown } from './report.ts';
import { type Figures, figuresOf } from './wrk.ts';

const WRK = `Running 4s test @ http://127.0.0.1:1/
  1 threads and 50 connections
  Latency Distribution
     50%  812.00us
     75%    1.02ms
     90%    1.40ms
     99%    1.10s
  40000 requests in 4.00s, 9.00MB read
  Socket errors: connect 1, read 2, write 0, timeout 4
  Non-2xx or 3xx responses: 10
Requests/sec:  10000.50
Transfer/sec:      2.25MB
`;

const run = (requestsPerSecond: number): Figures => ({ ...figuresOf(WRK, 1, 4), errors: 0, requestsPerSecond });
const small = { id: 'small', title: 'small GET' };

describe('the report of the bench', () => {
  it('reads the rate, the times and every kind of failure from a run of wrk', () => {
    expect(figuresOf(WRK, 2, 4)).toEqual({
      requestsPerSecond: 10_000.5,
      cpuMicrosPerRequest: 50,
      busyPercent: 50,
      p50Ms: 0.812,
      p99Ms: 1100,
      errors: 17,
    });
  });

  it('compares two proxies round by round, so that a slow minute of the machine counts for neither', () => {
    const runs = new Map([
      ['reveille', [run(70), run(7), run(80)]],
      ['nginx', [run(100), run(10), run(90)]],
    ]);
    expect(ratio(runs, 'reveille', 'nginx', 'requestsPerSecond')).toBe(0.7);
  });

  it('calls a goal neither met nor missed where the other proxy is not there or answered wrong', () => {
    const runs = new Map([
      ['reveille', [run(100)]],
      ['nginx', [run(100)]],
      ['caddy', [run(10)]],
    ]);
    const { verdicts, faults } = sectionOf(small, { runs, faults: new Map([['caddy', '3 requests failed']]) });
    expect(verdicts.map(({ goal, met }) => [goal, met])).toEqual([
      ['>= 0.7 x nginx', true],
      ['>= 2 x caddy', null],
      ['>= 2.5 x configurable-http-proxy', null],
      ['>= 1.7 x @fastify/http-proxy', null],
    ]);
    expect(faults).toEqual(['caddy (3 requests failed)']);
  });

  it('shows a goal that was missed, who is absent, who failed, and that the machine was not quiet', () => {
    const section = sectionOf(small, {
      runs: new Map([
        ['reveille', [run(60)]],
        ['nginx', [run(100)]],
      ]),
      faults: new Map([['httpxy', 'answered 502']]),
    });
    const text = markdown({
      date: '2026-01-02T03:04:05Z',
      machine: 'two cores',
      versions: { nginx: '1' },
      method: 'Once.',
      othersPercent: 40,
      absent: ['caddy'],
      sections: [section],
    });
    expect(text).toContain('| small GET | >= 0.7 x nginx | 0.60 | **no** |');
    expect(text).toContain('Other work took 40 % of the machine meanwhile, so even the ratios are not to be relied on.');
    expect(text).toContain('Left out, since they are not there: caddy.');
    expect(text).toContain('Failed: httpxy (answered 502).');
  });
});
