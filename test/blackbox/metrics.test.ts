import { expect } from 'vitest';
import { METRICS } from '../../src/contract/metrics.ts';
import { it, program } from '../support/daemon.ts';

it('every metric of the contract is moved by one ordinary day', async ({ start }) => {
  const trouble = (words: string) => program('test/blackbox/agents/trouble.ts', { TROUBLE: words });
  const daemon = await start({
    agents: {
      hello: { process: program('agents/hello/main.ts'), domains: ['*.hello.test'], idle: { timeout: '3s', freeze_after: '1s' } },
      // Held for as long as its start takes to fail.
      cold: { process: trouble('unwell'), on_sleeping: 'hold', health: { startup_timeout: '2s' } },
      steady: { process: trouble(''), policy: 'always-on', health: { check_interval: '100ms' } },
    },
  });
  const moved = new Set<string>();
  const seen = new Map<string, number>();
  const look = async (): Promise<ReadonlyMap<string, number>> => {
    const now = await daemon.metrics();
    for (const [series, value] of now) {
      const before = seen.get(series);
      // A series that appears with a value has risen from nothing.
      if (value !== (before ?? 0)) moved.add(series.replace(/(?:_bucket|_sum|_count)?(?:\{.*)?$/, ''));
      seen.set(series, value);
    }
    return now;
  };

  await look();
  await daemon.call('nobody');
  const held = daemon.call('cold');
  await daemon.event('agent.starting', 'cold');
  expect((await look()).get('requests_held{agent="cold"}')).toBe(1);
  await daemon.wake('hello', '/whoami');
  const { socket, closed, ask } = await daemon.socket('hello', '/ws');
  await ask('hello');
  await daemon.call('hello', '/preview', { method: 'POST' });
  const download = daemon.call('hello', '/slow?seconds=3');
  await daemon.untilInFlight('hello', 1);
  const busy = await look();
  expect(busy.get('requests_in_flight{agent="hello"}')).toBe(1);
  expect(busy.get('websocket_connections{agent="hello"}')).toBe(1);
  expect(busy.get('registered_services')).toBe(1);
  expect(busy.get('agent_state{agent="hello",state="ready"}')).toBe(1);
  await download;
  expect((await held).status).toBe(503);
  socket.close();
  await closed;
  while ((await daemon.call('steady')).status !== 200);
  await daemon.call('steady', '/crash', { method: 'POST' });
  await daemon.event('agent.recovered', 'steady');
  await daemon.admin('/admin/reload', { method: 'POST' });
  await daemon.event('agent.sleep', 'hello');

  const quiet = await look();
  expect(quiet.get('requests_in_flight{agent="hello"}')).toBe(0);
  expect(quiet.get('websocket_connections{agent="hello"}')).toBe(0);
  expect(quiet.get('registered_services')).toBe(0);
  expect(quiet.get('agent_state{agent="hello",state="ready"}')).toBe(0);
  expect(quiet.get('agent_state{agent="hello",state="sleeping"}')).toBe(1);
  expect(quiet.get('refused_total{problem="unknown-host"}')).toBe(1);
  expect(quiet.get('upstream_errors_total{agent="steady",problem="upstream-broken"}')).toBe(1);
  expect(quiet.get('config_reloads_total{result="ok"}')).toBe(1);
  expect(quiet.get('requests_total{agent="hello",class="5xx"}')).toBe(1);
  // The download alone is 1920 bytes.
  expect(quiet.get('proxied_bytes_total{agent="hello",direction="out"}')).toBeGreaterThan(1920);
  expect(quiet.get('proxied_bytes_total{agent="hello",direction="in"}')).toBeGreaterThan(0);

  // Only another writer could move it, and the process engine has none.
  const names = Object.keys(METRICS).filter((name) => name !== 'engine_update_conflicts_total');
  expect(names.filter((name) => !moved.has(name))).toEqual([]);
});
