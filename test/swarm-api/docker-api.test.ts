import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFailure } from '../../src/swarm/api-failure.ts';
import { CALLS, type CallName } from '../../src/swarm/calls.ts';
import { DockerApi } from '../../src/swarm/docker-api.ts';
import { type Fault, refusal } from '../support/api-faults.ts';
import { SimClock } from '../support/sim-clock.ts';
import { ScriptedApi, text } from './scripted-api.ts';

/** One call at a time: what it may meet, and that nothing but an ApiFailure comes of it. */
let scripted: ScriptedApi;
let clock: SimClock;
let api: DockerApi;

beforeEach(async () => {
  scripted = await new ScriptedApi().start();
  clock = new SimClock();
  api = new DockerApi({ socket: scripted.socket, clock });
});
afterEach(() => scripted.dispose());

const failureOf = async (call: Promise<unknown>): Promise<ApiFailure> => {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ApiFailure);
  return error as ApiFailure;
};

/** Time passes once the call has arrived. */
async function outOfTime(name: CallName, call: Promise<unknown>): Promise<ApiFailure> {
  const failure = failureOf(call);
  await scripted.until(() => scripted.count(name) > 0);
  await clock.advance(9_999);
  expect(await Promise.race([failure, new Promise((resolve) => setImmediate(resolve, 'open'))])).toBe('open');
  await clock.advance(1);
  return failure;
}

describe('the version', () => {
  it('is the newest that the engine speaks, and every later call says it', async () => {
    scripted.script('version', text('{"Version":"99.0","ApiVersion":"1.77"}'));
    await api.negotiate();
    await api.call('nodes');
    expect(scripted.asked.map(({ url }) => url)).toEqual(['/version', '/v1.77/nodes']);
  });

  it('is asked for anew each time, since the engine may have been exchanged', async () => {
    await api.negotiate();
    scripted.script('version', text('{"Version":"99.0","ApiVersion":"1.77"}'));
    await api.negotiate();
    await api.call('nodes');
    expect(scripted.asked.map(({ url }) => url)).toEqual(['/version', '/version', '/v1.77/nodes']);
  });

  it('is refused below 1.30, and the message says what is wanted', async () => {
    scripted.script('version', text('{"Version":"17.05","ApiVersion":"1.29"}'));
    expect((await failureOf(api.negotiate())).message).toBe(
      `Docker 17.05 at ${scripted.socket} speaks API 1.29; 1.30 or newer is wanted`,
    );
  });

  it.each<[string, Fault]>([
    ['a page', text('<html>It works!</html>')],
    ['a page that is not found', { kind: 'answer', status: 404, text: '404 page not found' }],
    ['other JSON', text('{"name":"elasticsearch"}')],
    ['JSON that is no object', text('null')],
    ['a version that is no text', text('{"ApiVersion":1.41}')],
    ['nothing', text('')],
  ])('of what is not Docker is none: it answers with %s', async (_what, answer) => {
    scripted.script('version', answer);
    expect((await failureOf(api.negotiate())).message).toMatch(new RegExp(`^what answers at ${scripted.socket} is not Docker`));
  });
});

describe('a call', () => {
  it('that is not answered, or only half, ends after ten seconds and says which', async () => {
    for (const kind of ['hang', 'stall'] as const) {
      scripted.asked.length = 0;
      scripted.script('tasks', { kind });
      const failure = await outOfTime('tasks', api.call('tasks'));
      expect(failure).toMatchObject({ kind: 'away', message: `no answer from Docker at ${scripted.socket} to GET /tasks` });
    }
    expect(clock.pending).toBe(0);
  });

  it('for a stream that is not answered ends after ten seconds too, and says so', async () => {
    scripted.script('events', { kind: 'hang' });
    const failure = await outOfTime('events', api.stream('events', {}));
    expect(failure).toMatchObject({ kind: 'away', message: `no answer from Docker at ${scripted.socket} to GET /events` });
    expect(clock.pending).toBe(0);
  });

  it('that is cut off is a matter of asking again', async () => {
    for (const kind of ['reset', 'half'] as const) {
      scripted.script('nodes', { kind });
      expect((await failureOf(api.call('nodes'))).kind).toBe('away');
    }
    expect(clock.pending).toBe(0);
  });

  it('that meets an answer of another shape than it must have says so', async () => {
    const lists = ['services', 'tasks', 'nodes', 'containers'] as const;
    for (const name of Object.keys(CALLS) as CallName[]) {
      if (['events', 'stop', 'pause', 'unpause'].includes(name)) continue;
      const wrong = [
        'garbage',
        '',
        'null',
        '7',
        '"text"',
        ...(lists.includes(name as 'nodes') ? ['{}', '[null]', '[7]', '[{}]'] : ['[]']),
      ];
      for (const answer of wrong) {
        scripted.script(name, text(answer));
        const failure = await failureOf(api.call(name, { id: 'x' }));
        expect([name, answer, failure.message]).toEqual([name, answer, expect.stringContaining('is not what Docker says')]);
      }
    }
  });

  it('that is redirected is not carried elsewhere', async () => {
    scripted.script('nodes', { kind: 'redirect', to: 'http://127.0.0.1:1/nodes' });
    await failureOf(api.call('nodes'));
    scripted.script('events', { kind: 'redirect', to: 'http://127.0.0.1:1/events' });
    await failureOf(api.stream('events', {}));
  });

  it('that is answered without end is cut off at 64 MiB', async () => {
    scripted.script('tasks', { kind: 'endless' });
    expect((await failureOf(api.call('tasks'))).message).toBe('Docker answered with more than 64 MiB');
  });

  it('passes on what the engine says, for a stream too', async () => {
    scripted.script('events', refusal(500, 'boom'));
    expect(await failureOf(api.stream('events', {}))).toMatchObject({ kind: 'failed', message: 'GET /events: boom' });
  });

  it('for a name that is no path stays below its own path', async () => {
    await api.call('service', { id: '../nodes?x#y' });
    expect(scripted.asked.map(({ url }) => url)).toEqual(['/services/..%2Fnodes%3Fx%23y']);
  });
});
