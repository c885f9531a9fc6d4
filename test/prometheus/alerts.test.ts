import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boardQueries } from '../deploy/queries.ts';

/** What is shipped for Prometheus, as its own tool sees it. */
const shipped = (file: string): string => fileURLToPath(new URL(`../../deploy/prometheus/${file}`, import.meta.url));
let directory = '';
beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), 'reveille-alerts-'))));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function promtool(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  return { status, said: stdout + stderr };
}

/** JSON is YAML. */
function written(name: string, content: unknown): string {
  const file = join(directory, name);
  writeFileSync(file, JSON.stringify(content));
  return file;
}

describe('promtool', () => {
  it('takes the alert rules and the scrape config', () => {
    expect(promtool('check', 'rules', '--lint=all', '--lint-fatal', shipped('alerts.yml'))).toMatchObject({ status: 0 });
    expect(promtool('check', 'config', '--syntax-only', shipped('prometheus.yml'))).toMatchObject({ status: 0 });
  });

  it('takes every query of the Grafana board', () => {
    const rules = boardQueries.map(({ text }, index) => ({ record: `board:query${index}`, expr: text }));
    const file = written('board.json', { groups: [{ name: 'board', rules }] });
    expect(promtool('check', 'rules', file)).toMatchObject({ status: 0 });
  });
});

describe('the alert rules', () => {
  const fires = (
    series: readonly { series: string; values: string }[],
    alert: string,
    at: string,
    labels: Record<string, string>,
  ) => {
    const test = {
      rule_files: [shipped('alerts.yml')],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: series,
          alert_rule_test: [{ eval_time: at, alertname: alert, exp_alerts: [{ exp_labels: labels }] }],
        },
      ],
    };
    return promtool('test', 'rules', written(`${alert}.json`, test)).said;
  };

  // promtool compares the annotations too, and says what it got: the labels in there are what is looked at.
  it.each([
    ['ReveilleDown', [{ series: 'up{job="reveille"}', values: '1 0x10' }], 'severity="critical"'],
    [
      'ReveilleAgentDegraded',
      [{ series: 'reveille_agent_state{agent="kai",state="degraded"}', values: '0 1x10' }],
      'agent="kai"',
    ],
    [
      'ReveilleEngineUnavailable',
      [{ series: 'reveille_engine_calls_total{call="observe",job="reveille",result="unavailable"}', values: '0+3x10' }],
      'severity="critical"',
    ],
    [
      'ReveilleWakesFail',
      [{ series: 'reveille_wake_duration_seconds_count{agent="kai",result="exited"}', values: '0+1x10' }],
      'agent="kai"',
    ],
    [
      'ReveilleUpstreamErrors',
      [
        { series: 'reveille_upstream_errors_total{agent="kai",problem="upstream-broken"}', values: '0+6x15' },
        { series: 'reveille_requests_total{agent="kai",class="5xx"}', values: '0+60x15' },
      ],
      'agent="kai"',
    ],
  ] as const)('%s fires when it should', (alert, series, label) => {
    const said = fires(series, alert, '10m', {});
    expect(said).toContain(`alertname="${alert}"`);
    expect(said).toContain(label);
  });

  it('none fires while all is well', () => {
    const series = [
      { series: 'up{job="reveille"}', values: '1x30' },
      { series: 'reveille_agent_state{agent="kai",state="degraded"}', values: '0x30' },
      { series: 'reveille_engine_calls_total{call="observe",job="reveille",result="ok"}', values: '0+9x30' },
      { series: 'reveille_wake_duration_seconds_count{agent="kai",result="ready"}', values: '0+0x30' },
      { series: 'reveille_requests_total{agent="kai",class="2xx"}', values: '0+600x30' },
    ];
    const none = [
      'ReveilleDown',
      'ReveilleAgentDegraded',
      'ReveilleEngineUnavailable',
      'ReveilleWakesFail',
      'ReveilleUpstreamErrors',
    ];
    const tests = [
      {
        interval: '1m',
        input_series: series,
        alert_rule_test: none.map((alertname) => ({ eval_time: '20m', alertname, exp_alerts: [] })),
      },
    ];
    const file = written('well.json', { rule_files: [shipped('alerts.yml')], evaluation_interval: '1m', tests });
    expect(promtool('test', 'rules', file)).toMatchObject({ status: 0 });
  });
});
