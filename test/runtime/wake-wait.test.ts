import { expect, test } from 'vitest';
import { millisOf } from '../../src/std/time.ts';
import { house } from './harness.ts';

test('whoever waits for a start is told at once that it has failed, and why', async () => {
  const open = await house({ agents: { kai: {} } });
  const began = open.clock.now();
  open.probe.wellness = 'ill';
  const waiting = open.control.wakeAndWait('kai', millisOf(600_000), new AbortController().signal);
  await open.clock.advance(450);
  open.engine.exit('kai', 'exit code 7');
  await open.clock.advance(10_000);
  expect(await waiting).toEqual({ ok: false, failure: { problem: 'wake-timeout', detail: 'it did not start: exit code 7' } });
  expect(open.clock.now() - began).toBeLessThan(11_000);
});
