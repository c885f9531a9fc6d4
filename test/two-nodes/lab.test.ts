import { afterEach, describe, expect, it } from 'vitest';
import { type EngineSpec, docker } from '../lab/engine.ts';
import { lab } from '../lab/lab.ts';
import { WORKER, worker } from '../lab/second-node.ts';
import { runProgram } from '../lab/run-program.ts';

/** The second node itself: that it is one, and that a program which stands on the first reaches what runs there. */
const here = lab();

afterEach(async () => {
  await docker(here.engine, 'service', 'rm', 'probe').catch(() => undefined);
});

describe('the second node', () => {
  it('has the images of the first under the same ids', async () => {
    const idsOn = async (engine: EngineSpec): Promise<string[]> =>
      (await docker(engine, 'images', '--no-trunc', '--quiet')).split('\n');
    for (const id of Object.values(here.images)) expect(await idsOn(worker())).toContain(id);
  });

  it('runs a task that is reached over the overlay from the first', async () => {
    const place = ['--network', here.network, '--endpoint-mode', 'dnsrr', '--constraint', `node.hostname==${WORKER}`];
    const flags = ['--quiet', '--detach', '--no-resolve-image', '--name', 'probe', '--env', 'WHERE={{.Node.Hostname}}'];
    await docker(here.engine, 'service', 'create', ...flags, ...place, here.images.agent);
    const script = `
      const ask = () => fetch('http://tasks.probe:8080/').then((reply) => reply.json(), () => null);
      let answer = null;
      while ((answer = await ask()) === null) await new Promise((done) => setTimeout(done, 100));
      console.log(answer.WHERE);`;
    const asker = ['run', '--rm', '--network', here.network, here.images.base, 'node', '--input-type=module', '--eval', script];
    expect(await docker(here.engine, ...asker)).toBe('two');
    expect(await docker(here.engine, 'ps', '--quiet', '--filter', 'name=probe')).toBe('');
  });

  it('has no way to the machine around the lab', async () => {
    const inside = (...args: readonly string[]): Promise<string> => runProgram(['ip', '-netns', WORKER, ...args]);
    expect(await inside('route', 'show', 'default')).toBe('');
    expect(await inside('-brief', 'address', 'show', 'dev', 'eth0')).toContain('192.0.2.2/24');
  });
});
