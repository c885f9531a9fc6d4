/**
 * Every metric of ours, once: name (the prefix `reveille_` is put on by the adapter), kind, help, label names, buckets.
 * docs/metrics.md and the dashboards' check are made from this table. No label may take values that a client chooses.
 */
export interface MetricShape {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
}

const WAKE_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120] as const;
const THAW_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5] as const;
const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600] as const;

// One row a line, to be read as a table.
// prettier-ignore
export const METRICS = {
  agent_state: { kind: 'gauge', help: '1 for the state the agent is in, 0 for all others', labels: ['agent', 'state'] },
  wakes_total: { kind: 'counter', help: 'Starts ordered, by what wanted them', labels: ['agent', 'cause'] },
  wake_duration_seconds: { kind: 'histogram', help: 'From the order to start until the result', labels: ['agent', 'result'], buckets: WAKE_SECONDS },
  sleeps_total: { kind: 'counter', help: 'Times the agent fell asleep, by reason', labels: ['agent', 'reason'] },
  requests_total: { kind: 'counter', help: 'Requests answered on the public port, by status class', labels: ['agent', 'class'] },
  request_duration_seconds: { kind: 'histogram', help: 'From the request head read to the response ended', labels: ['agent'], buckets: REQUEST_SECONDS },
  upstream_duration_seconds: { kind: 'histogram', help: 'From handing the request to the agent until its response head', labels: ['agent'], buckets: REQUEST_SECONDS },
  requests_in_flight: { kind: 'gauge', help: 'Requests admitted whose response has not ended', labels: ['agent'] },
  requests_held: { kind: 'gauge', help: 'Requests that wait for the agent to be awake', labels: ['agent'] },
  thaw_duration_seconds: { kind: 'histogram', help: 'From the order to thaw until the agent runs again', labels: ['agent'], buckets: THAW_SECONDS },
  websocket_connections: { kind: 'gauge', help: 'Open WebSocket tunnels', labels: ['agent'] },
  proxied_bytes_total: { kind: 'counter', help: 'Body and tunnel bytes, in: towards the agent, out: towards the client', labels: ['agent', 'direction'] },
  upstream_errors_total: { kind: 'counter', help: 'Requests that failed at the agent, by problem', labels: ['agent', 'problem'] },
  refused_total: { kind: 'counter', help: 'Requests and connections answered by the daemon itself with a problem', labels: ['problem'] },
  health_checks_total: { kind: 'counter', help: 'Health checks made, by result', labels: ['agent', 'result'] },
  restarts_total: { kind: 'counter', help: 'Restarts, for failing health checks or by the engine after an exit', labels: ['agent'] },
  registered_services: { kind: 'gauge', help: 'Hostnames registered by agents', labels: [] },
  engine_calls_total: { kind: 'counter', help: 'Calls made to the engine, by call and result', labels: ['call', 'result'] },
  engine_update_conflicts_total: { kind: 'counter', help: 'Updates the engine refused because another writer was first', labels: [] },
  config_reloads_total: { kind: 'counter', help: 'Loads of the config file after the first, by result', labels: ['result'] },
} as const satisfies Readonly<Record<string, MetricShape>>;

export type MetricName = keyof typeof METRICS;
export type LabelsOf<N extends MetricName> = Readonly<Record<(typeof METRICS)[N]['labels'][number], string>>;
