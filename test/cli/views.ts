/** What a daemon answers with, for tests of what becomes of it. */
export const HEALTH = {
  status: 'ok',
  uptime_seconds: 7201.5,
  agent_count: 2,
  ready_count: 1,
  frozen_count: 0,
  sleeping_count: 1,
  ws_connections: 3,
  service_count: 1,
  engine: { name: 'process', connected: true, since: '2026-01-01T00:00:00.000Z' },
  config: { loaded_at: '2026-01-01T00:00:00.000Z' },
};
export const KAI = {
  name: 'kai',
  hostname: 'kai.example.com',
  hostnames: ['*.kai.example.com'],
  policy: 'on-demand',
  backend: null,
  idle_timeout: '30m',
  state: 'ready',
  since: '2026-01-01T00:00:00.000Z',
  connections: 3,
  in_flight: 12,
  last_activity: '2026-01-01T00:10:00.000Z',
  sleeps_at: '2026-01-01T00:40:00.000Z',
  replicas: { wanted: 1, running: 1, max: 1 },
};
export const EVIL = {
  ...KAI,
  name: 'evil',
  hostname: 'evil.example.com',
  hostnames: [],
  state: 'degraded',
  connections: 0,
  in_flight: 0,
  held: 0,
  sleeps_at: undefined,
  attempts: 5,
  problem: { code: 'exited', detail: '\u001b[2Jgone\n' },
};
export const SERVICE = {
  hostname: 'preview.kai.example.com',
  target: 'http://127.0.0.1:3000',
  agent: 'kai',
  created_at: '2026-01-01T00:05:00.000Z',
  expires_at: null,
};
