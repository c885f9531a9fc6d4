import { expect, test } from 'vitest';
import { millisOf } from '../../src/std/time.ts';
import { caller, codeOf, house } from './harness.ts';

test('a busy lease beyond idle.busy_max is granted as that much, and says so', async () => {
  const open = await house({ agents: { kai: { idle: { timeout: '5s', busy_max: '1m' } } } });
  await open.ready();
  const answer = open.control.takeLease(caller(), millisOf(3_600_000), 'thinking');
  expect(answer).toEqual({ ok: true, value: { expiresAt: new Date(open.clock.wall() + 60_000).toISOString() } });
  await open.clock.advance(59_999);
  expect(open.state()).toBe('ready');
  await open.clock.advance(1 + 5000);
  expect(open.state()).toBe('stopping');
});

test('a task takes no busy lease once its agent is told to stop: it would hold up nothing and end with it', async () => {
  const open = await house({ agents: { kai: {} } });
  await open.ready();
  open.control.sleep('kai', { force: true });
  expect(open.state()).toBe('stopping');
  expect(codeOf(open.control.takeLease(caller(), millisOf(60_000), 'thinking'))).toBe('agent-asleep');
});
