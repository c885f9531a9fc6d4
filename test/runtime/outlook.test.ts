import { expect, test } from 'vitest';
import { parseHost } from '../../src/contract/hostname.ts';
import type { Destination } from '../../src/runtime/traffic.ts';
import { assert } from '../../src/std/assert.ts';
import { type House, house } from './harness.ts';

function destinationOf(open: House, host = 'kai.test'): Destination {
  const destination = open.fleet.lookup(parseHost(host)!);
  assert(destination !== null, `somebody answers to ${host}`);
  return destination;
}

test('whoever watches is told of every state on the way, and wakes nobody', async () => {
  const open = await house({ agents: { kai: {} } });
  const kai = destinationOf(open);
  const seen: (string | null)[] = [];
  const unwatch = kai.watch(() => seen.push(kai.outlook()?.state ?? null));
  await open.clock.advance(60_000);
  expect([open.state(), seen]).toEqual(['sleeping', []]);
  await open.ready();
  expect(seen).toEqual(['starting', 'ready']);
  expect(kai.outlook()).toMatchObject({ state: 'ready', reason: null, elapsed: null });
  expect(kai.outlook()?.typical).toBeGreaterThan(0);
  unwatch();
  open.control.sleep('kai', { force: true });
  await open.clock.advance(3000);
  expect(seen).toEqual(['starting', 'ready']);
});

test('an agent that is removed has no outlook any more, and whoever watches is told', async () => {
  const open = await house({ agents: { kai: {}, bo: {} } });
  const kai = destinationOf(open);
  const seen: unknown[] = [];
  kai.watch(() => seen.push(kai.outlook()));
  await open.reload({ bo: {} });
  expect(seen).toEqual([null]);
});

test('an engine that is away is the reason, for whoever is not awake', async () => {
  const open = await house({ agents: { kai: {}, bo: {} } });
  await open.ready('bo');
  open.engine.lose();
  await open.clock.settle();
  expect(destinationOf(open).outlook()).toMatchObject({ state: 'sleeping', isComing: false, reason: 'engine-unavailable' });
  expect(destinationOf(open, 'bo.test').outlook()).toMatchObject({ state: 'ready', reason: null });
});

test('a start that failed is the reason by its code, and never by its detail', async () => {
  const open = await house({ agents: { kai: {} } });
  open.engine.failNext('scale', 'refused', 'no such file: /srv/secret/run');
  open.ask();
  await open.clock.advance(10);
  const outlook = destinationOf(open).outlook();
  expect(outlook).toMatchObject({ reason: 'start-failed', isComing: false });
  expect(JSON.stringify(outlook)).not.toContain('secret');
});

test('a wake that waits for a place says so, and whoever watches is told when it is given up', async () => {
  const agents = { kai: { hold: { max_wait: '60s' } }, bo: {} };
  const open = await house({ agents, file: { max_ready_agents: 1 } });
  await open.ready('bo');
  open.admitted('bo.test');
  const kai = destinationOf(open);
  const seen: unknown[] = [];
  kai.watch(() => seen.push([kai.outlook()?.reason, kai.outlook()?.isComing]));
  open.waits('kai.test');
  await open.clock.advance(59_000);
  expect(seen).toEqual([['capacity', true]]);
  await open.clock.advance(2_000);
  expect(seen).toEqual([
    ['capacity', true],
    [null, false],
  ]);
});
