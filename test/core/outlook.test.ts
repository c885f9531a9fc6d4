import { expect, test } from 'vitest';
import type { AgentState } from '../../src/core/agent/state.ts';
import { isNews, outlookOf } from '../../src/core/outlook.ts';
import { millisOf } from '../../src/std/time.ts';
import { degraded, draining, EARLIER, LATER, NOW, ready, sleeping, starting, stopping } from './lifecycle-parts.ts';

const of = (state: AgentState, reason: 'exited' | null = null) => outlookOf(state, reason, NOW, millisOf(4000));

test('an agent is coming while it starts, and while a start follows without anybody asking again', () => {
  const coming: readonly AgentState[] = [
    starting(),
    sleeping({ wake: 'request', notBefore: LATER }),
    degraded({ wake: 'api', notBefore: LATER }),
    stopping({ wake: 'request' }),
    stopping({ next: 'restart' }),
    draining({ reason: 'restart' }),
  ];
  const not: readonly AgentState[] = [sleeping(), degraded(), stopping(), draining({ reason: 'admin' }), ready()];
  expect(coming.filter((state) => !of(state).isComing).map(({ name }) => name)).toEqual([]);
  expect(not.filter((state) => of(state).isComing).map(({ name }) => name)).toEqual([]);
});

test('a start under way tells how long it has taken; what holds it up is no failure yet', () => {
  expect(of(starting({ since: EARLIER }), 'exited')).toMatchObject({ elapsed: 10_000, typical: 4000, reason: null });
  expect(of(stopping(), 'exited')).toMatchObject({ elapsed: null, reason: 'exited' });
});

test('a wake that is remembered tells when its start follows; without one nothing does', () => {
  expect(of(sleeping({ wake: 'request', notBefore: LATER })).startsIn).toBe(10_000);
  expect(of(degraded({ wake: 'request', notBefore: LATER })).startsIn).toBe(10_000);
  expect(of(sleeping({ wake: 'request', notBefore: EARLIER })).startsIn).toBeNull();
  expect(of(sleeping({ notBefore: LATER })).startsIn).toBeNull();
  // Its deadline is for the order to stop, and says nothing of the start.
  expect(of(stopping({ wake: 'request', deadline: LATER })).startsIn).toBeNull();
});

test('a wake that waits for a place says so, whatever failed before', () => {
  const seeking = { since: EARLIER, until: LATER };
  expect(of(sleeping({ wake: 'request', seeking }), 'exited')).toMatchObject({ isComing: true, reason: 'capacity' });
  expect(of(sleeping({ wake: 'request' }), 'exited').reason).toBe('exited');
});

test('a wake that is remembered or dropped is news to those who wait; work that comes and goes is none', () => {
  const seeking = { since: EARLIER, until: LATER };
  expect(isNews(sleeping(), sleeping({ wake: 'request' }))).toBe(true);
  expect(isNews(sleeping({ wake: 'request', seeking }), sleeping())).toBe(true);
  expect(isNews(sleeping({ wake: 'request' }), sleeping({ wake: 'request', seeking }))).toBe(true);
  expect(isNews(stopping(), sleeping())).toBe(true);
  expect(isNews(ready(), ready({ busy: true }))).toBe(false);
  expect(isNews(sleeping({ wake: 'request' }), sleeping({ wake: 'api' }))).toBe(false);
});
