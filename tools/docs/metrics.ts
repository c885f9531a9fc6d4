import { AGENT_STATES, SLEEP_REASONS, WAKE_CAUSES } from '../../src/contract/events.ts';
import { METRICS, type MetricShape } from '../../src/contract/metrics.ts';
import { type Page, code, codes, madeFrom, paragraphs, table } from './page.ts';

/** docs/metrics.md: what /metrics exposes. */
export const metricsPage: Page = {
  file: 'metrics.md',
  render: () =>
    paragraphs(
      '# Metrics',
      madeFrom('src/contract/metrics.ts'),
      INTRODUCTION,
      table(
        ['name', 'kind', 'labels', 'what it is'],
        metrics.map(([name, { kind, labels, help }]) => [code(`reveille_${name}`), kind, codes(labels), `${help}.`]),
      ),
      '## Labels',
      table(
        ['label', 'values'],
        Object.entries(LABELS).map(([label, values]) => [code(label), values]),
      ),
      '## Buckets',
      table(
        ['histogram', 'upper bounds'],
        metrics.flatMap(([name, { buckets }]) => (buckets === undefined ? [] : [[code(`reveille_${name}`), buckets.join(', ')]])),
      ),
    ),
};

const metrics: readonly (readonly [string, MetricShape])[] = Object.entries(METRICS);

const INTRODUCTION = `\`GET /metrics\` on the internal port, in the Prometheus text format. Whether it wants a bearer token is for
\`metrics.auth\` to say. Beside these there are the default metrics of Node (\`process_*\`, \`nodejs_*\`), less the
\`nodejs_active_*_total\` gauges, whose names promise a counter. No label takes a value that a client chooses.`;

// Keyed by the labels of the contract: one more there does not compile until it is described here.
const LABELS: Readonly<Record<(typeof METRICS)[keyof typeof METRICS]['labels'][number], string>> = {
  agent: 'name of the agent',
  state: codes(AGENT_STATES),
  cause: codes(WAKE_CAUSES),
  reason: codes(SLEEP_REASONS),
  class: '`2xx` and so on, of the status sent',
  direction: '`in` towards the agent, `out` towards the client',
  problem: 'a code of [problems.md](problems.md)',
  call: 'the call: `observe`, `scale` and so on',
  result:
    'wakes: `ready`, `timeout`, `exited`, `refused`; health checks: `pass`, `fail`; engine calls: `ok`, or why not; config reloads: `ok`, `rejected`',
};
