import { describe, expect, test } from 'vitest';
import { type House, caller, codeOf, house } from './harness.ts';

const MISSING = 'service kai is not there';
const NO_NODE = 'no suitable node (insufficient resources on 1 node)';
const KAI = { domains: ['*.preview.test'], health: { startup_timeout: '20s' } };

const problem = (open: House, name = 'kai'): unknown => {
  const view = open.control.agent(name);
  return view.ok ? (view.value.problem ?? null) : view;
};
const swarm = (agent: object, options: object = {}) =>
  house({ agents: { kai: agent as never }, engine: { name: 'swarm', ...options } });

describe('what the engine cannot run', () => {
  test('is shown while the agent sleeps, and said once when it appears, when it changes and when it is over', async () => {
    const open = await swarm(KAI);
    const said = (): unknown[] => open.log.lines.filter(({ message }) => /engine cannot run|stands in the way/.test(message));
    expect(problem(open)).toBeNull();
    for (const obstacle of [MISSING, MISSING, 'service kai is global, not replicated', null, null]) {
      open.engine.obstruct('kai', obstacle);
      await open.clock.settle();
      expect(problem(open)).toEqual(obstacle === null ? null : { code: 'start-failed', detail: obstacle });
      expect(open.state()).toBe('sleeping');
    }
    const warn = (detail: string) => ({
      level: 'warn',
      message: 'the engine cannot run the agent',
      facts: { agent: 'kai', detail },
    });
    expect(said()).toEqual([
      warn(MISSING),
      warn('service kai is global, not replicated'),
      { level: 'info', message: 'nothing stands in the way of the agent any more', facts: { agent: 'kai' } },
    ]);
  });

  test('fails a start at once and with its reason, and whoever waits for the wake reads it', async () => {
    const open = await swarm(KAI);
    open.engine.obstruct('kai', MISSING);
    await open.clock.settle();
    const waiting = open.control.wakeAndWait('kai', 30_000 as never, new AbortController().signal);
    expect(await open.drive(waiting)).toMatchObject({ failure: { detail: `it did not start: ${MISSING}` } });
    expect(open.control.agent('kai')).toMatchObject({ value: { state: 'sleeping', attempts: 1, problem: { detail: MISSING } } });
    open.engine.obstruct('kai', null);
    await open.clock.settle();
    await open.ready();
    expect(problem(open)).toBeNull();
  });

  test('a service that is removed while its agent is ready: asleep, by somebody else, and why', async () => {
    const open = await swarm(KAI);
    await open.ready();
    expect(codeOf(open.control.register(caller(), { hostname: 'a.preview.test', target: ':3000' }))).toBe('ok');
    const work = open.admitted();
    open.engine.obstruct('kai', MISSING, { gone: true });
    await open.clock.settle();
    expect(open.state()).toBe('sleeping');
    expect(open.eventsOf('agent.sleep')).toMatchObject([{ from: 'ready', to: 'sleeping', reason: 'external' }]);
    expect(problem(open)).toEqual({ code: 'start-failed', detail: MISSING });
    expect(open.control.services()).toEqual([]);
    // There is nothing that an order to stop could reach.
    expect(open.engine.scales('kai')).toEqual([1]);
    work.end();
    open.engine.obstruct('kai', null);
    await open.clock.settle();
    expect(problem(open)).toBeNull();
    await open.ready();
  });

  test('a service that is removed while it stops: asleep all the same', async () => {
    const open = await swarm(KAI, { answerMs: 50 });
    await open.ready();
    open.control.sleep('kai', { force: true });
    await open.clock.advance(10);
    open.engine.obstruct('kai', MISSING, { gone: true });
    await open.clock.advance(200);
    expect([open.state(), problem(open)]).toEqual(['sleeping', { code: 'start-failed', detail: MISSING }]);
    expect(open.engine.scales('kai')).toEqual([1, 0]);
  });

  test('an always-on agent is degraded at once, follows the reason, and recovers', async () => {
    const open = await swarm({ ...KAI, policy: 'always-on' });
    await open.clock.advance(1000);
    open.engine.obstruct('kai', MISSING, { gone: true });
    await open.clock.settle();
    expect([open.state(), problem(open)]).toEqual(['degraded', { code: 'start-failed', detail: MISSING }]);
    open.engine.obstruct('kai', 'service kai is not on the network agents');
    await open.clock.settle();
    expect(problem(open)).toEqual({ code: 'start-failed', detail: 'service kai is not on the network agents' });
    open.engine.obstruct('kai', null);
    await open.clock.settle();
    expect(problem(open)).toEqual({ code: 'health-failed', detail: 'no task has passed its health check yet' });
    open.engine.scaleByHand('kai', 1);
    await open.clock.advance(1000);
    expect([open.state(), problem(open)]).toEqual(['running', null]);
    expect(open.eventsOf('agent.degraded', 'agent.recovered').map(({ type }) => type)).toEqual([
      'agent.degraded',
      'agent.recovered',
    ]);
  });

  for (const policy of ['on-demand', 'always-on'] as const) {
    test(`D: what cannot be placed says why at startup_timeout (${policy})`, async () => {
      const open = await swarm({ ...KAI, policy }, { restartMs: 600_000 });
      if (policy === 'on-demand') open.ask();
      else open.engine.scaleByHand('kai', 1);
      await open.clock.advance(100);
      open.engine.exit('kai', NO_NODE, { converging: true });
      await open.clock.advance(15_000);
      expect(open.state()).toBe(policy === 'on-demand' ? 'starting' : 'running');
      await open.clock.advance(10_000);
      expect(problem(open)).toEqual({ code: 'startup-timeout', detail: `no task came to run: ${NO_NODE}` });
    });
  }
});
