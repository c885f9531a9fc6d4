import { describe, expect } from 'vitest';
import type { Daemon, Settings } from '../support/daemon.ts';
import { type Deployment, type Stage, it } from './stage.ts';

/**
 * What an operator can get wrong with a service. Each time the agent shows the reason, one line of the log says what to do, and
 * the daemon lives on: an agent beside it is woken and served as if nothing were.
 */
interface Trouble {
  readonly title: string;
  /** Null: no service at all. */
  readonly service: Deployment | null;
  readonly agent?: Settings;
  readonly code: string;
  readonly detail: RegExp;
  /** Known without anybody having called. */
  readonly atOnce?: boolean;
}

const MISSING = `sha256:${'0'.repeat(64)}`;
const soon = { startup_timeout: '8s' };

const TROUBLES: Readonly<Record<string, Trouble>> = {
  absent: {
    title: 'a service that is not there',
    service: null,
    code: 'start-failed',
    detail: /^there is no service absent: deploy it, or mend container\.name$/,
    atOnce: true,
  },
  global: {
    title: 'a global service',
    service: { options: ['--mode', 'global'] },
    code: 'start-failed',
    detail: /^service global is global: only a replicated service can be put to sleep$/,
    atOnce: true,
  },
  apart: {
    title: 'a service that is not on the network',
    service: { network: false },
    code: 'start-failed',
    detail: /^service apart is not on the network \S+: attach it there$/,
    atOnce: true,
  },
  imageless: {
    title: 'an image that is not there',
    service: { image: MISSING, options: ['--restart-condition', 'none'] },
    code: 'exited',
    detail: /No such image/,
  },
  dying: {
    title: 'an agent that fails at once',
    service: { env: { DIES: 'yes' }, options: ['--restart-condition', 'none'] },
    code: 'exited',
    detail: /^exit code 3$/,
  },
  reviving: {
    title: 'an agent that fails at once, again and again',
    service: { env: { DIES: 'yes' }, options: ['--restart-condition', 'any', '--restart-delay', '100ms'] },
    agent: { health: soon },
    code: 'startup-timeout',
    detail: /exit code 3/,
  },
  huge: {
    title: 'a task that asks for more memory than there is',
    service: { options: ['--reserve-memory', '1024g'] },
    agent: { health: soon },
    code: 'startup-timeout',
    detail: /insufficient resources/,
  },
  nowhere: {
    title: 'a constraint that no node fulfils',
    service: { options: ['--constraint', 'node.labels.rack==moon'] },
    agent: { health: soon },
    code: 'startup-timeout',
    detail: /scheduling constraints not satisfied/,
  },
  unwell: {
    title: 'a health check of ours that never passes',
    service: { env: { UNWELL: 'yes' } },
    agent: { health: soon },
    code: 'startup-timeout',
    detail: /^1 running, none passed its health check$/,
  },
  sickly: {
    title: "a health check of Docker's that never passes",
    service: {
      env: { UNWELL: 'yes' },
      options: ['--health-cmd', 'false', '--health-interval', '500ms', '--health-retries', '1', '--restart-delay', '100ms'],
    },
    agent: { health: { startup_timeout: '8s' } },
    code: 'startup-timeout',
    detail: /exit code 0, after Docker's health check of it had failed$/,
  },
};

async function beside(stage: Stage, name: string, { service, agent = {} }: Trouble): Promise<Daemon> {
  const well = `${name}-well`;
  if (service !== null) await stage.deploy(name, service);
  await stage.deploy(well);
  return stage.start({ [name]: { ...agent, idle: { timeout: '1m' } }, [well]: { idle: { timeout: '1m' } } });
}

describe.concurrent('trouble', () => {
  for (const [name, trouble] of Object.entries(TROUBLES)) {
    it(`${trouble.title}: the agent shows the reason, the log says it once, and the daemon lives on`, async ({ stage }) => {
      const { code, detail } = trouble;
      const daemon = await beside(stage, name, trouble);
      if (trouble.atOnce === true) {
        expect(await daemon.view(name)).toMatchObject({ problem: { code, detail: expect.stringMatching(detail) } });
        const said = daemon.run.log.filter(({ msg, agent }) => msg === 'the engine cannot run the agent' && agent === name);
        expect(said).toMatchObject([{ level: 'warn', detail: expect.stringMatching(detail) }]);
      }
      const call = await daemon.call(name);
      expect([call.status, call.json.agent]).toEqual([503, name]);
      expect(await daemon.event('agent.sleep', name)).toMatchObject({ to: 'sleeping' });
      expect(await daemon.view(name)).toMatchObject({ attempts: 1, problem: { code, detail: expect.stringMatching(detail) } });
      await daemon.run.logged('agent changed state', (facts) => facts['agent'] === name && detail.test(String(facts['detail'])));
      expect((await daemon.wake(`${name}-well`)).status).toBe(200);
      expect((await daemon.admin('/healthz')).status).toBe(200);
    });
  }
});
