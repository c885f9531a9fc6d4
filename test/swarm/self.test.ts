import { describe, expect } from 'vitest';
import type { Reply } from '../support/call.ts';
import type { Daemon } from '../support/daemon.ts';
import { type Stage, it, until } from './stage.ts';

/** What an agent may ask and do about itself, from within its containers. */
interface SelfTask {
  readonly id: string;
  readonly slot: number;
  readonly state: string;
  readonly on_leader: boolean;
  readonly address: string;
  readonly node: string;
}

/** The agent's own call to the daemon's internal port; `task` is who it says it is. */
const ask = (daemon: Daemon, agent: string, call: Readonly<Record<string, string>>): Promise<Reply> =>
  daemon.call(agent, `/ask?${String(new URLSearchParams(call))}`);

/** Awake, with so many tasks that all serve, in the order of their slots. */
async function several(stage: Stage, daemon: Daemon, agent: string, replicas: number): Promise<readonly SelfTask[]> {
  await daemon.wake(agent);
  const path = '/api/self/scale';
  const scaled = await ask(daemon, agent, { path, method: 'POST', body: JSON.stringify({ replicas }) });
  expect(scaled.status).toBe(202);
  expect(await stage.wanted(agent)).toBe(replicas);
  await until(
    'all of them are there',
    async () => (await ask(daemon, agent, {})).json.tasks as readonly SelfTask[],
    (tasks) => tasks.length === replicas && tasks.every(({ state }) => state === 'running' || state === 'ready'),
  );
  return (await ask(daemon, agent, {})).json.tasks;
}

const many = { idle: { timeout: '1m' }, replicas_max: 3 };

describe.concurrent('self under Swarm', () => {
  it('an agent sees its tasks with their nodes and addresses, and scales itself', async ({ stage }) => {
    await stage.deploy('selfish');
    const daemon = await stage.start({ selfish: many });
    const tasks = await several(stage, daemon, 'selfish', 3);
    expect(tasks.map(({ slot }) => slot)).toEqual([1, 2, 3]);
    for (const task of tasks) expect(task).toMatchObject({ on_leader: true, node: stage.lab.engine.name });
    expect(new Set(tasks.map(({ address }) => address)).size).toBe(3);
    const view = (await ask(daemon, 'selfish', {})).json;
    expect(view).toMatchObject({ agent: 'selfish', state: 'ready', woken_by: 'request', replicas: { wanted: 3, max: 3 } });
    const beyond = { path: '/api/self/scale', method: 'POST', body: '{"replicas":4}' };
    expect((await ask(daemon, 'selfish', beyond)).status).toBe(400);
  });

  const end = (daemon: Daemon, agent: string, task: string, query = ''): Promise<Reply> =>
    daemon.admin(`/api/self/tasks/${task}?agent=${agent}${query}`, { method: 'DELETE' });

  it('a task ended on request is exactly that one, and one fewer is wanted', async ({ stage }) => {
    await stage.deploy('chosen');
    const daemon = await stage.start({ chosen: many });
    const [first, second, third] = await several(stage, daemon, 'chosen', 3);
    const ended = await end(daemon, 'chosen', second?.id ?? '');
    expect(ended.status).toBe(202);
    await until(
      'one is gone',
      () => stage.containers('chosen'),
      (ids) => ids.length === 2,
    );
    await until(
      'one fewer is wanted',
      () => stage.wanted('chosen'),
      (wanted) => wanted === 2,
    );
    const labels = await Promise.all((await stage.containers('chosen')).map((id) => taskOf(stage, id)));
    expect(new Set(labels)).toEqual(new Set([first?.id, third?.id]));
    expect((await daemon.call('chosen')).status).toBe(200);
    const gone = await end(daemon, 'chosen', second?.id ?? '');
    expect([gone.status, gone.json.type]).toEqual([404, expect.stringMatching(/unknown-task$/)]);
  });

  it('the last task cannot be ended, but replaced', async ({ stage }) => {
    await stage.deploy('only');
    const daemon = await stage.start({ only: many });
    const { task } = (await daemon.wake('only')).json;
    const last = await ask(daemon, 'only', { path: `/api/self/tasks/${task}`, method: 'DELETE' });
    expect([last.status, last.json.type]).toEqual([409, expect.stringMatching(/last-task$/)]);
    const replaced = await end(daemon, 'only', task, '&replace=true');
    expect(replaced.status).toBe(202);
    const reply = await until(
      'another serves',
      () => daemon.call('only'),
      ({ status, json }) => status === 200 && json.task !== task,
    );
    expect(reply.status).toBe(200);
    expect(await stage.wanted('only')).toBe(1);
  });

  it('a task that says it is another one, from its own address, is refused; so is one of another agent', async ({ stage }) => {
    await Promise.all([stage.deploy('honest'), stage.deploy('stranger')]);
    const daemon = await stage.start({ honest: many, stranger: many });
    const [first, second] = await several(stage, daemon, 'honest', 2);
    const { task: foreign } = (await daemon.wake('stranger')).json;
    // Whoever of the two is asked, one of these claims is a lie.
    const claims = await Promise.all([first, second].map((claimed) => ask(daemon, 'honest', { task: claimed?.id ?? '' })));
    const statuses = new Set<number>();
    for (let turn = 0; turn < 8; turn += 1) {
      const reply = await ask(daemon, 'honest', { task: second?.id ?? '' });
      if (reply.status === 403) expect(reply.json.type).toMatch(/not-your-task$/);
      statuses.add(reply.status);
    }
    for (const { status } of claims) expect([200, 403]).toContain(status);
    // From within one container for certain: the first task's.
    const container = await containerOf(stage, first?.id ?? '');
    const status = (task: string | undefined): Promise<string> => inside(stage, container, task ?? '');
    expect(await status(first?.id)).toBe('200');
    expect(await status(second?.id)).toBe('403 not-your-task');
    expect(await status(foreign)).toBe('403 not-your-task');
  });

  it('agents/kit reads its token from the Swarm secret, holds a lease and shows a preview with it', async ({ stage }) => {
    const secret = await stage.secret(`${stage.tokenOf('hello')}\n`);
    const options = ['--secret', `source=${secret},target=reveille_token`];
    await stage.deploy('hello', { program: 'agents/hello/main.ts', options });
    const daemon = await stage.start({ hello: { idle: { timeout: '500ms' }, domains: ['*.hello.test'] } });
    await daemon.wake('hello', '/whoami');
    const busy = await until(
      'it is awake for long enough to be asked',
      () =>
        daemon.wake('hello', '/busy', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"seconds":4}' }),
      ({ status }) => status === 202,
    );
    expect(busy.status).toBe(202);
    expect((await daemon.view('hello')).busy).toMatchObject([{ reason: 'somebody pressed the button on the page' }]);
    expect((await daemon.call('hello', '/preview', { method: 'POST' })).json).toEqual({ hostname: 'preview.hello.test' });
    expect((await daemon.call('preview.hello.test')).text).toContain('A preview');
    const slept = await daemon.event(
      'agent.sleep',
      'hello',
      daemon.events.items.findLast(({ type }) => type === 'agent.sleep'),
    );
    expect(slept).toMatchObject({ reason: 'idle' });
    expect((await daemon.call('preview.hello.test')).status).toBe(404);
  });
});

const taskOf = (stage: Stage, container: string): Promise<string> =>
  stage.docker('inspect', '--format', '{{index .Config.Labels "com.docker.swarm.task.id"}}', container);

const containerOf = (stage: Stage, task: string): Promise<string> =>
  stage.docker('ps', '--quiet', '--filter', `label=com.docker.swarm.task.id=${task}`);

/** What the daemon answers to somebody in this container who says that it is this task. */
function inside(stage: Stage, container: string, task: string): Promise<string> {
  const script = `
    const headers = { authorization: 'Bearer ' + process.env.REVEILLE_TOKEN, 'x-reveille-task': ${JSON.stringify(task)} };
    const reply = await fetch(process.env.REVEILLE_URL + '/api/self', { headers });
    console.log(reply.status, reply.ok ? '' : (await reply.json()).type.split('/').at(-1));`;
  return stage.docker('exec', container, 'node', '--input-type=module', '--eval', script);
}
