import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildOptions } from '../lab/images.ts';
import { lab } from '../lab/lab.ts';
import { runProgram } from '../lab/run-program.ts';
import { Callers, unfinished } from './callers.ts';
import { ADMIN_PORT, Deployed, type DockerEvent, PORT, until } from './deployed.ts';
import { type Adaptation, Operator } from './operator.ts';
import { commandBlock, commandBlocks } from './page.ts';

/**
 * The project's own images and stack, deployed by typing what README.md says and nothing else, and then used as its users do:
 * over HTTP. A README that does not work fails here. All tests share the deployment, since it is what they are about; each
 * brings about by itself what it starts from.
 */
const CHECKOUT = resolve(import.meta.dirname, '../..');
const README = commandBlocks('README.md', 'On Docker Swarm');
const GUIDE = 'docs/deploy-swarm.md';
const HELLO = 'hello.localhost';
const GREETER = 'greeter.localhost';
const SHOP = 'shop.hello.localhost';
const SECRETS = ['/run/secrets/reveille_admin_token', '/run/secrets/reveille_secret'];
/** Shorter than a wait for the end of a test, longer than a request of a busy machine. */
const SHORT_IDLE = '5s';

/** Everything in which the lab differs from the machine that the pages are written for. */
const build: Adaptation = {
  why: 'the package registry is behind the relay of the lab',
  from: 'docker build',
  to: `docker build ${buildOptions(lab().proxy).join(' ')}`,
};
const inSwarm: Adaptation = {
  why: 'the lab is in a Swarm already, and the README says that this command is for those who are not',
  from: 'docker swarm init',
  to: ': docker swarm init',
};
const newRelease: Adaptation = {
  why: 'there is no newer source to build',
  from: 'docker build',
  to: 'docker build --label release=2',
};
const detached: Adaptation = {
  why: 'the command would stay for the 20 s that Swarm watches the new version',
  from: 'docker service update',
  to: 'docker service update --quiet --detach',
};
const anotherName: Adaptation = { why: 'another test has that one', from: 'CONFIG=_2', to: 'CONFIG=_3' };

let scratch: string;
let operator: Operator;
let stack: Deployed;

/** Resolves to the hostname that hello has registered, in its container, with the token that is a secret there. */
async function previewOfHello(): Promise<string> {
  await stack.awake(HELLO);
  const reply = await stack.call(HELLO, '/preview', { method: 'POST' });
  expect(reply.status, reply.text).toBe(200);
  return reply.json.hostname;
}

/** Deploys the stack with another config, as the guide says. `changes`: how many places of it are changed. */
async function deployConfig(change: (text: string) => string, changes: number, more: readonly Adaptation[] = []): Promise<void> {
  const directory = mkdtempSync(join(scratch, 'changed-'));
  for (const path of ['stack.yml', 'deploy']) cpSync(join(CHECKOUT, path), join(directory, path), { recursive: true });
  const file = join(directory, 'deploy/orchestrator.swarm.yaml');
  const lines = readFileSync(file, 'utf8').split('\n');
  const changed = change(lines.join('\n')).split('\n');
  expect(changed.filter((line, index) => line !== lines[index])).toHaveLength(changes);
  writeFileSync(file, changed.join('\n'));
  operator.directory = directory;
  const [numbersInForce = ''] = commandBlock(GUIDE, 'What others do to a live agent', 'export HELLO_REPLICAS').split('\n');
  await operator.type(numbersInForce);
  await operator.type(commandBlock(GUIDE, 'Config', 'docker stack deploy'), more);
}

const adminToken = (): Promise<string> => stack.exec('reveille', 'cat', '/run/secrets/reveille_admin_token');

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'reveille-stack-'));
  // The classic builder, which any Docker has.
  operator = new Operator(CHECKOUT, scratch, { ...process.env, DOCKER_BUILDKIT: '0' });
  stack = new Deployed();
  await operator.type(README[0] ?? '', [inSwarm, build]);
  // "Once the daemon is up": what a caller meets who does not wait for that is in another test.
  await until('the daemon is up', async () => ((await stack.fromOverlay('/readyz')).status === 200 ? true : null));
});

afterAll(async () => {
  await stack.close();
  rmSync(scratch, { recursive: true });
});

// What a failure on a machine of somebody else leaves to look at.
beforeEach(({ onTestFailed }) => {
  onTestFailed(async () => {
    for (const service of ['reveille', 'hello']) console.log(await stack.log(service).catch(String));
    console.log(await stack.docker('service', 'inspect', '--pretty', 'reveille_reveille').catch(String));
    console.log(await stack.docker('service', 'ps', '--no-trunc', 'reveille_reveille').catch(String));
  });
});

describe('what README.md says of Docker Swarm', () => {
  it('deploys a daemon, an agent that sleeps until it is called, and one that is always on', async () => {
    const lines = (README[1] ?? '').split('\n');
    const [first = '', second = '', third = '', last = ''] = lines;
    expect([lines.length, first.split(/\s+#/)[0]]).toEqual([4, second.split(/\s+#/)[0]]);
    expect(await operator.type(first)).toMatch(
      /^HTTP\/1\.1 503 [^]*Retry-After: [1-9][^]*\{"status":"sleeping","agent":"hello"\}$/,
    );
    await until('a moment later 200', async () => ((await operator.type(second)).startsWith('HTTP/1.1 200 ') ? true : null));
    expect(await operator.type(third)).toMatch(/^HTTP\/1\.1 200 /);
    const table = await operator.type(last);
    expect(table).toMatch(/^greeter +running +always-on +1\/1 /m);
    expect(table).toMatch(/^hello +ready +on-demand +1\/1 /m);
  });

  it('builds images without development packages, caches, secrets, or anything that .dockerignore keeps out', async () => {
    const said = await operator.type('docker build --target hello .', [build]);
    const [, size, unit] = /context to Docker daemon\s+([0-9.]+)([kM]B)\s+Step /.exec(said) ?? [];
    expect(Number(size) * (unit === 'MB' ? 1000 : 1)).toBeLessThan(4000);
    for (const image of [operator.variable('REVEILLE_IMAGE'), operator.variable('HELLO_IMAGE')]) {
      const listed = await stack.docker('run', '--rm', '--user', '0', '--entrypoint', 'find', image, '/', '-xdev');
      const files = listed.split('\n');
      expect(files.filter((file) => /\/\.(git|env|reveille|npm)$|_cacache|_logs/.test(file))).toEqual([]);
      expect(files.filter((file) => /^\/app\/(test|docs|bench|tools|orchestrator)/.test(file))).toEqual([]);
      expect(files.filter((file) => /node_modules\/(typescript|vitest|eslint|prettier|node)$/.test(file))).toEqual([]);
      const history = await stack.docker('history', '--no-trunc', '--format', '{{.CreatedBy}}', image);
      expect(history).not.toContain(lab().proxy);
      const bytes = async (of: string): Promise<number> => Number(await stack.docker('inspect', '--format', '{{.Size}}', of));
      expect((await bytes(image)) - (await bytes(lab().images.base))).toBeLessThan(64 * 2 ** 20);
    }
  });
});

describe('the containers of the stack', () => {
  it('are not root, have no capabilities and a root that nobody can write to', async () => {
    for (const [service, user] of [
      ['reveille', `10001:${operator.variable('DOCKER_GID')}`],
      ['greeter', '10001:10001'],
    ] as const) {
      const { HostConfig } = await stack.inspect(service);
      expect(HostConfig).toMatchObject({ ReadonlyRootfs: true, CapDrop: ['ALL'], Privileged: false });
      expect(HostConfig.Memory).toBeGreaterThan(0);
      const ids = await stack.exec(service, 'sh', '-c', 'echo $(id -u):$(id -g); grep -E "^Cap(Prm|Eff|Bnd)" /proc/1/status');
      expect(ids.split('\n')[0]).toBe(user);
      expect(ids.match(/\b0{16}\b/g)).toHaveLength(3);
      await expect(stack.exec(service, 'touch', '/app/x')).rejects.toThrow('Read-only file system');
    }
    expect(await stack.exec('reveille', 'stat', '--format=%u %a', '/var/lib/reveille')).toBe('10001 700');
  });

  it('have an init that waits for orphans', async () => {
    const orphan = 'sh -c "sleep 0.2 & exec true"; sleep 0.5; cat /proc/1/comm; grep -hs "^State:.Z" /proc/[0-9]*/status || true';
    for (const service of ['reveille', 'greeter']) expect(await stack.exec(service, 'sh', '-c', orphan)).toBe('docker-init');
  });

  it('become healthy where the daemon is, and other containers find it by its name then', async () => {
    await until('it is healthy', async () => ((await stack.inspect('reveille')).State.Health.Status === 'healthy' ? true : null));
    expect((await stack.fromOverlay('/readyz')).status).toBe(200);
  });

  it('publish the public port on the node itself, and not the internal one', async () => {
    const { NetworkSettings } = await stack.inspect('reveille');
    expect(Object.entries(NetworkSettings.Ports).filter(([, hosts]) => hosts !== null)).toEqual([
      ['8080/tcp', expect.arrayContaining([{ HostIp: '0.0.0.0', HostPort: String(PORT) }])],
    ]);
    await expect(stack.call('localhost', '/healthz', { port: ADMIN_PORT })).rejects.toThrow('ECONNREFUSED');
    expect((await stack.call('reveille', '/admin/health')).json).toMatchObject({ status: 404 });
    expect((await stack.call('reveille', '/metrics')).status).toBe(404);
  });

  it('let nobody see metrics or the admin API without the token of the operator', async () => {
    const token = await adminToken();
    for (const path of ['/metrics', '/admin/health', '/agents/greeter/whoami']) {
      expect([path, (await stack.fromOverlay(path)).status]).toEqual([path, 401]);
      expect([path, (await stack.fromOverlay(path, token)).status]).toEqual([path, 200]);
    }
  });

  it('show a secret neither in what Docker says of them, nor in their processes, nor in the log', async () => {
    await stack.awake(HELLO);
    const secrets = (await stack.exec('reveille', 'tail', '--quiet', '--bytes=+1', ...SECRETS)) + (await tokensOfAgents());
    const words = secrets.match(/[\w+/=-]{43,44}/g) ?? [];
    expect(new Set(words).size).toBe(4);
    const services = ['reveille', 'hello', 'greeter'];
    const said = await Promise.all([
      ...services.map(async (service) => stack.docker('inspect', await stack.container(service))),
      ...services.map(async (service) => stack.docker('top', await stack.container(service))),
      ...services.map((service) => stack.docker('service', 'inspect', `reveille_${service}`)),
      ...services.map((service) => stack.log(service)),
    ]);
    expect(words.filter((secret) => said.some((text) => text.includes(secret)))).toEqual([]);
  });

  it('tell an agent about itself, which it asks for with the token that is a secret in it', async () => {
    await stack.awake(HELLO);
    const task = (await stack.inspect('hello')).Config.Labels['com.docker.swarm.task.id'];
    const { json } = await stack.call(HELLO, '/life');
    expect(json.self).toMatchObject({
      agent: 'hello',
      state: 'ready',
      tasks: [{ id: task, name: 'hello.1', node: lab().engine.name, on_leader: true }],
    });
    const preview = await previewOfHello();
    await stack.awake(preview, '/');
  });
});

async function tokensOfAgents(): Promise<string> {
  const tokens = await Promise.all(
    ['hello', 'greeter'].map((service) => stack.exec(service, 'cat', '/run/secrets/reveille_token')),
  );
  return tokens.map((token) => ` ${token} `).join('');
}

describe('a daemon of the stack', () => {
  it('E: is killed under load, and its agents feel nothing: the next one adopts them, with their registered hostnames', async () => {
    const preview = await previewOfHello();
    const agents = await stack.agents();
    const direct = await stack.download('hello', 8);
    let cut: Promise<unknown> = Promise.resolve();
    await new Promise<void>((onHead) => {
      cut = stack.call(HELLO, '/slow?seconds=20', { onHead }).catch((error: unknown) => error);
    });
    const callers = new Callers(PORT, GREETER, '/whoami');
    await callers.served(0);
    const { Id, State } = await stack.inspect('reveille');
    const since = stack.soFar;
    process.kill(State.Pid, 'SIGKILL');
    const died = await stack.hears('container', 'reveille', 'die', since);
    expect(died.Actor).toMatchObject({ ID: Id, Attributes: { exitCode: '137' } });
    expect(await cut).toBeInstanceOf(Error);
    await stack.hears('container', 'reveille', 'start', since);
    await callers.served(performance.now());
    await callers.stop();
    expect(await stack.container('reveille')).not.toBe(Id);
    await stack.awake(preview, '/');
    expect(await direct.missingBytes).toBe(0);
    expect(await stack.agents()).toEqual(agents);
    for (const agent of ['hello', 'greeter']) expect(stack.heard('service', agent, 'update', since)).toEqual([]);
  });

  it('K: is upgraded as the guide says: what is under way is finished, it ends with 0, and no agent is touched', async () => {
    const preview = await previewOfHello();
    const agents = await stack.agents();
    const [makeRelease = '', replaceDaemon = ''] = commandBlock(GUIDE, 'Upgrade the daemon', 'docker service update').split('\n');
    await operator.type(makeRelease, [newRelease, build]);
    const callers = new Callers(PORT, GREETER, '/whoami');
    await callers.served(0);
    const old = await stack.container('reveille');
    const since = stack.soFar;
    const underWay = unfinished(PORT, HELLO, '/echo');
    await operator.type(replaceDaemon, [detached]);
    await callers.refused();
    expect(await underWay.finish()).toEqual([200, expect.stringContaining('whole!')]);
    const died = await stack.hears('container', 'reveille', 'die', since);
    expect(died.Actor).toMatchObject({ ID: old, Attributes: { exitCode: '0' } });
    await stack.hears('container', 'reveille', 'start', since);
    await callers.served(performance.now());
    const outcomes = await callers.stop();
    expect(new Set(outcomes.map(({ what }) => what)).difference(new Set([200, 503, 'ECONNREFUSED', 'ECONNRESET']))).toEqual(
      new Set(),
    );
    expect((await stack.inspect('reveille')).Image).toBe(operator.variable('REVEILLE_IMAGE'));
    await stack.awake(preview, '/');
    expect(await stack.agents()).toEqual(agents);
    for (const agent of ['hello', 'greeter']) expect(stack.heard('service', agent, 'update', since)).toEqual([]);
  });
});

describe('another config, deployed as the guide says', () => {
  let before: readonly string[];
  let after: readonly string[];

  beforeAll(async () => {
    await stack.awake(HELLO);
    // By the operator in the agent's name: a hostname that the agent does not take back by itself when it is told to end.
    const route = { agent: 'hello', hostname: SHOP, target: ':3000' };
    await until('it is registered', async () =>
      (await stack.fromOverlay('/api/services', await adminToken(), route)).status === 200 ? true : null,
    );
    before = await stack.agents();
    const since = stack.soFar;
    const shortIdle = (text: string): string => text.replace('timeout: 60s', `timeout: ${SHORT_IDLE}`);
    await deployConfig((text) => shortIdle(text).replace(/^ {2}network: reveille\n/m, '  network: null\n'), 2);
    await stack.hears('container', 'reveille', 'die', since);
    await stack.hears('container', 'reveille', 'start', since);
    after = await stack.agents();
    await stack.awake(GREETER);
  });

  it('replaces the daemon and no agent', () => {
    expect(after).toEqual(before);
  });

  it('puts an agent to sleep that nobody calls, with the hostname that it had registered', async () => {
    await stack.awake(SHOP);
    await stack.inState(HELLO, 'sleeping');
    // Docker tells of an end before it takes it off its list.
    await until('it has no container', async () => ((await stack.containers('hello')).length === 0 ? true : null));
    expect((await stack.call(SHOP)).json).toMatchObject({ status: 404 });
    expect(JSON.parse((await stack.fromOverlay('/admin/services', await adminToken())).text)).toEqual([]);
  });

  it('A: orders one service update for a hundred first requests, and finds the overlay that it shares with its agents', async () => {
    await stack.inState(HELLO, 'sleeping');
    const since = stack.soFar;
    const replies = await Promise.all(Array.from({ length: 100 }, () => stack.call(HELLO, '/whoami')));
    expect(new Set(replies.map(({ status, headers }) => `${status} ${Number(headers['retry-after']) > 0}`))).toEqual(
      new Set(['503 true']),
    );
    await stack.awake(HELLO);
    expect(stack.heard('service', 'hello', 'update', since).map(({ Actor }) => Actor.Attributes['replicas.new'])).toEqual(['1']);
    expect(stack.heard('container', 'hello', 'start', since)).toHaveLength(1);
  });

  it('with a mistake in it is named in the log and rolled back, and no agent is touched', async () => {
    // Swarm watches a new version for 20 s, and what it does about one that comes in between is its own affair.
    await until('Swarm has done with the update before', async () =>
      (await stack.docker('service', 'inspect', '--format', '{{.UpdateStatus.State}}', 'reveille_reveille')) === 'completed'
        ? true
        : null,
    );
    const agents = await stack.containers('greeter');
    const since = stack.soFar;
    await deployConfig((text) => text.replace('\nengine: swarm\n', '\nenginee: swarm\n'), 1, [anotherName]);
    const ended = ({ Action, Actor }: DockerEvent): boolean => Action === 'die' && Actor.Attributes['exitCode'] === '78';
    await stack.events.first('an end with 78', ended, since);
    await stack.awake(GREETER);
    expect(await stack.log('reveille')).toContain('enginee is not a known key');
    expect(await stack.containers('greeter')).toEqual(agents);
  });
});

describe('docker stack rm', () => {
  it('ends everything with SIGTERM in time, and keeps the state and the secrets', async () => {
    await stack.awake(HELLO);
    const since = stack.soFar;
    await stack.remove();
    for (const service of ['reveille', 'hello', 'greeter']) {
      const ends = stack.heard('container', service, 'die', since).map(({ Actor }) => Actor.Attributes['exitCode']);
      expect([service, ends]).toEqual([service, ['0']]);
    }
    expect(await runProgram(['docker', 'volume', 'ls', '--quiet', '--filter', 'name=reveille_state'])).toBe('reveille_state');
    expect((await stack.docker('secret', 'ls', '--quiet', '--filter', 'name=reveille_')).split('\n')).toHaveLength(4);
  });
});
