import { expect, test } from 'vitest';
import { house } from './harness.ts';

test('an agent that becomes unmanaged leaves no task behind', async () => {
  const open = await house();
  await open.ready();
  await open.reload({ kai: { policy: 'unmanaged', backend: 'http://127.0.0.1:3000' } });
  await open.clock.advance(60_000);
  expect(open.state()).toBe('running');
  expect(open.engine.calls.filter(({ call }) => call === 'release')).toMatchObject([{ agent: 'kai' }]);
});

test('an agent that is removed, brought back and removed again is released once, when its first work has ended', async () => {
  const agents = { kai: {}, other: {} };
  const open = await house({ agents });
  await open.ready();
  const work = open.admitted();
  await open.reload({ other: {} });
  await open.reload(agents);
  await open.reload({ other: {} });
  await open.clock.advance(1000);
  const releases = () => open.engine.calls.filter(({ call }) => call === 'release').length;
  expect(releases()).toBe(0);
  work.end();
  await open.clock.advance(60_000);
  expect(releases()).toBe(1);
  expect(open.forgotten).toEqual(['kai']);
});

test('an order to stop that waits for its turn does not end the tasks of an agent that is always on by now', async () => {
  const open = await house({ engine: { answerMs: 50 } });
  open.control.wake('kai');
  await open.clock.advance(5);
  open.control.sleep('kai', { force: true });
  await open.reload({ kai: { policy: 'always-on' } });
  await open.clock.advance(60_000);
  expect(open.tasks()).toHaveLength(1);
});

test('J: a reload does not tell the engine of agents that stay the same', async () => {
  const always = { policy: 'always-on' };
  const open = await house({ agents: { always, kai: {} } });
  const told = () => open.engine.calls.filter(({ call }) => call === 'declare').map(({ agent }) => agent);
  expect(told()).toEqual(['always', 'kai']);
  await open.reload({ always, kai: { replicas_max: 2 } });
  await open.reload({ always, kai: { replicas_max: 2, replicas: 2 } });
  expect(told()).toEqual(['always', 'kai', 'kai']);
});

test('an agent that is removed while an order of its is under way asks the engine nothing more', async () => {
  const open = await house({ agents: { kai: {}, other: {} }, engine: { answerMs: 100 } });
  open.control.wake('kai');
  await open.clock.advance(50);
  await open.reload({ other: {} });
  await open.clock.advance(10_000);
  const asked = open.engine.calls.filter(({ agent }) => agent === 'kai').map(({ call }) => call);
  expect(asked.at(-1)).toBe('release');
});
