import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildMemcachedImage, buildOptions } from '../lab/images.ts';
import { lab } from '../lab/lab.ts';
import { Deployed, until } from './stack/deployed.ts';
import { type Adaptation, Operator } from './stack/operator.ts';
import { commandBlock, commandBlocks } from './stack/page.ts';
import { WorldStack, filesForTwoWorlds } from './stack/worlds.ts';

/**
 * Bob's World on a real Swarm, deployed by typing what README.md and docs/deploy-swarm.md say, and used as its visitors do. What a
 * world is asked to do is for the suite `world` to try; here it is tried where each trooper is a container of a service.
 */
const CHECKOUT = resolve(import.meta.dirname, '../..');
const GUIDE = ['docs/deploy-swarm.md', "Bob's World"] as const;

/** Everything in which the lab differs from the machine that the pages are written for. */
const adapted = {
  build: {
    why: 'the package registry is behind the relay of the lab',
    from: 'docker build',
    to: `docker build ${buildOptions(lab().proxy).join(' ')}`,
  },
  context: { why: 'the stack files are deployed from a directory of their own', from: ' .)', to: ` ${CHECKOUT})` },
  inSwarm: { why: 'the lab is in a Swarm already', from: 'docker swarm init', to: ': docker swarm init' },
  twoWorlds: { why: 'the guide wants this file for two worlds', from: '-c stack.yml', to: '-c stack.yml -c racks.yml' },
} as const satisfies Record<string, Adaptation>;

let scratch: string;
let operator: Operator;
let stack: Deployed;
let first: WorldStack;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'reveille-world-'));
  operator = new Operator(filesForTwoWorlds(scratch), scratch, { ...process.env, DOCKER_BUILDKIT: '0' });
  stack = new Deployed();
  first = new WorldStack(stack, 'bobs', 'world.localhost');
  const { build, context, inSwarm, twoWorlds } = adapted;
  await operator.type(commandBlocks('README.md', 'On Docker Swarm')[0] ?? '', [inSwarm, build, context, twoWorlds]);
  await until('the daemon is up', async () => ((await stack.fromOverlay('/readyz')).status === 200 ? true : null));
  const memcached = await buildMemcachedImage({ socket: lab().engine.socket, proxy: lab().proxy });
  const pulled = { why: 'there is no registry in the lab', from: /\$\(docker pull [^)]*\)/, to: memcached };
  await operator.type(commandBlock(...GUIDE, 'docker build').replace(pulled.from, pulled.to), [build, context]);
}, 400_000);

afterAll(async () => {
  for (const name of ['bobs', 'bobs-2']) await stack.docker('stack', 'rm', name).catch(() => undefined);
  await stack.close();
  for (const name of ['bobs_snapshots', 'bobs-2_snapshots']) {
    await until(`${name} is gone`, async () => {
      await stack.docker('volume', 'rm', '--force', name);
      return true;
    });
  }
  rmSync(scratch, { recursive: true });
});

// What a failure on a machine of somebody else leaves to look at.
beforeEach(({ onTestFailed }) => {
  onTestFailed(async () => {
    for (const name of ['bobs', 'bobs-2']) console.log(await stack.docker('stack', 'ps', '--no-trunc', name).catch(String));
    for (const name of ['bobs_world', 'bobs-2_world', 'reveille_reveille']) {
      console.log(await stack.docker('service', 'logs', '--tail', '60', name).catch(String));
    }
  });
});

describe("Bob's World, deployed as docs/deploy-swarm.md says", () => {
  it('sleeps until somebody calls it: then there are three troopers, one of which manages', async () => {
    expect((await stack.call(first.host, '/api/health')).json).toEqual({ status: 'sleeping', agent: 'world' });
    expect((await stack.call(first.host, '/')).json).toEqual({ status: 'sleeping', agent: 'world' });
    await first.serving(3);
  });
});
