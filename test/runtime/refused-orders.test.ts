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

test('who names a task that is not one of the agent learns and orders nothing', async () => {
  const open = await house({ agents: { kai: { replicas: 2, replicas_max: 3 } } });
  await open.ready();
  await open.clock.advance(10_000);
  const [own = '', other = ''] = open.tasks();
  const stranger = caller('kai', { task: 'nobody' });
  expect(codeOf(open.control.self(stranger))).toBe('not-your-task');
  expect(codeOf(await open.drive(open.control.scaleSelf(stranger, 3)))).toBe('not-your-task');
  expect(codeOf(await open.drive(open.control.endTask(stranger, other, { replace: false })))).toBe('not-your-task');
  expect(open.tasks()).toEqual([own, other]);
  expect(codeOf(open.control.self(caller('kai', { task: own })))).toBe('ok');
});

test('the length of a start is told in whole milliseconds', async () => {
  const open = await house({ engine: { startMs: 1.25 } });
  await open.ready();
  expect(Number.isInteger(open.eventsOf('agent.ready')[0]?.['ms'])).toBe(true);
});
