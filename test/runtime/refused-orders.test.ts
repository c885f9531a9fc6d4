import { expect, test } from 'vitest';
import { caller, codeOf, house } from './harness.ts';

test('an agent that stops cannot scale itself up again', async () => {
  const open = await house({ agents: { kai: { replicas_max: 3 } }, engine: { stopMs: 3000 } });
  await open.ready();
  open.control.sleep('kai', { force: false });
  await open.clock.settle();
  expect(open.state()).toBe('stopping');
  expect(codeOf(await open.drive(open.control.scaleSelf(caller(), 2)))).toBe('agent-asleep');
  await open.clock.advance(10_000);
  expect(open.state()).toBe('sleeping');
});

test('a hostname of the config file is taken, also for an agent that is made by API', async () => {
  const open = await house();
  const body = { name: 'wiki', hostname: 'KAI.test.', backend: 'http://127.0.0.1:3000', policy: 'unmanaged' } as const;
  expect(codeOf(open.control.createAgent(body))).toBe('hostname-taken');
});
