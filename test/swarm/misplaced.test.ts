import { once } from 'node:events';
import { chmodSync, chownSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { dirname, join } from 'node:path';
import { type TlsOptions, createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, onTestFinished } from 'vitest';
import { type EngineSpec, docker, startEngine, stopEngine } from '../lab/engine.ts';
import { lab } from '../lab/lab.ts';
import { runProgram } from '../lab/run-program.ts';
import { Daemon, type Home, type Run, it } from '../support/daemon.ts';
import { certificates } from './certificates.ts';
import { Relay } from './relay.ts';

/**
 * The daemon where it does not belong, or shown something that is no manager of a Swarm: it starts, says in one line what to
 * do, is not ready, and comes up by itself as soon as that was done.
 */
const LOST = 'engine lost; agents that are awake are still served';
const settings = (socket: string | null): Record<string, unknown> => ({
  engine: 'swarm',
  swarm: { network: lab().network, ...(socket === null ? {} : { socket }) },
  agents: { kai: { backend: 'http://tasks.kai:8080', container: { name: 'kai' } } },
});

const readiness = async (daemon: Daemon): Promise<number> => (await daemon.admin('/readyz')).status;

/** The reason that it gave at its start, and that it is not ready. */
async function reasonOf(daemon: Daemon): Promise<unknown> {
  const { detail } = await daemon.run.logged(LOST);
  expect(await readiness(daemon)).toBe(503);
  const wake = await daemon.call('kai');
  expect([wake.status, wake.json]).toEqual([503, expect.objectContaining({ status: 503 })]);
  return detail;
}

async function comesUp(daemon: Daemon): Promise<void> {
  await daemon.event('engine.restored');
  expect(await readiness(daemon)).toBe(200);
  expect(daemon.run.log.filter(({ msg }) => msg === LOST).length).toBe(1);
}

/** A relay to the lab's own engine, for what can be done to a socket. */
async function relayIn(home: Home): Promise<{ readonly socket: string; readonly relay: Relay }> {
  const socket = join(home.directory, 'docker.sock');
  const relay = new Relay(socket, lab().engine.socket);
  await relay.open();
  onTestFinished(() => relay.cut());
  return { socket, relay };
}

const start = async (home: Home, run: Run = home.run()): Promise<Daemon> => Daemon.of(home, run);

describe('an engine that is not, or not yet, a manager of a Swarm', () => {
  const NAMESPACE = 'solo';
  const solo: EngineSpec = {
    name: NAMESPACE,
    socket: '/run/solo/docker.sock',
    directory: join(dirname(lab().engine.directory), NAMESPACE),
    runDirectory: '/run/solo',
    cgroupParent: `${lab().engine.cgroupParent}/${NAMESPACE}`,
    networkNamespace: `/run/netns/${NAMESPACE}`,
  };

  afterEach(async () => {
    await stopEngine(solo);
    await runProgram(['ip', 'netns', 'delete', NAMESPACE]);
  });

  it('is not there, then has no Swarm, then is locked: each is said once, and what was told to be done is all', async ({
    home,
  }) => {
    await runProgram(['ip', 'netns', 'add', NAMESPACE]);
    await runProgram(['ip', '-netns', NAMESPACE, 'link', 'set', 'lo', 'up']);
    const daemon = await start(home(settings(solo.socket)));
    expect(await reasonOf(daemon)).toBe(
      `there is no Docker socket at ${solo.socket}: start Docker, or set swarm.socket or DOCKER_HOST`,
    );

    await startEngine(solo);
    const still = 'engine is still lost, but for another reason';
    await daemon.run.logged(still, ({ detail }) => detail === 'this Docker is not part of a Swarm: run `docker swarm init`');
    expect(await readiness(daemon)).toBe(503);
    await docker(solo, 'swarm', 'init', '--advertise-addr', '127.0.0.1');
    await comesUp(daemon);

    const key = /SWMKEY-\S+/.exec(await docker(solo, 'swarm', 'update', '--autolock=true'))?.[0] ?? '';
    const before = daemon.lastEvent;
    await stopEngine(solo);
    await startEngine(solo);
    await daemon.run.logged(still, ({ detail }) => detail === 'this Swarm is locked: run `docker swarm unlock`');
    await runProgram(['docker', '--host', `unix://${solo.socket}`, 'swarm', 'unlock'], { input: `${key}\n` });
    await daemon.event('engine.restored', undefined, before);
    expect(await readiness(daemon)).toBe(200);
  });
});

describe('a socket', () => {
  it('that its user may not write to: it says whose group is wanted, and comes up once it may', async ({ home }) => {
    const place = home(settings('docker.sock'));
    const { socket } = await relayIn(place);
    place.write(settings(socket));
    chownSync(socket, 65534, 65534);
    chmodSync(socket, 0o600);
    // Root as any other user: without the right to pass over permissions.
    const daemon = await start(place, place.run(['setpriv', '--bounding-set=-dac_override,-dac_read_search']));
    expect(await reasonOf(daemon)).toBe(`no permission on ${socket}: add the daemon's user to the group of the socket`);
    chmodSync(socket, 0o666);
    await comesUp(daemon);
  });

  it('at which something else listens: it says that it is not Docker, and comes up once it is', async ({ home }) => {
    const place = home(settings(null));
    const socket = join(place.directory, 'docker.sock');
    place.write(settings(socket));
    const stranger = createServer((_request, response) => response.end('<html>It works!</html>'));
    await once(stranger.listen(socket), 'listening');
    const daemon = await start(place);
    expect(await reasonOf(daemon)).toContain(
      `what answers at ${socket} is not Docker: mend swarm.socket or DOCKER_HOST (GET /version was answered with`,
    );
    stranger.closeAllConnections();
    stranger.close();
    rmSync(socket, { force: true });
    await relayIn(place);
    await comesUp(daemon);
  });

  it('of an engine that is too old: it says which is wanted, and comes up after the upgrade', async ({ home }) => {
    const place = home(settings(null));
    const { socket, relay } = await relayIn(place);
    place.write(settings(socket));
    relay.faults.set('version', { kind: 'answer', status: 200, text: '{"Version":"17.05.0-ce","ApiVersion":"1.29"}' });
    const daemon = await start(place);
    expect(await reasonOf(daemon)).toBe(`Docker 17.05.0-ce at ${socket} speaks API 1.29; 1.30 or newer is wanted`);
    relay.faults.delete('version');
    await comesUp(daemon);
  });

  it('in front of which a proxy forbids a call: it names the call', async ({ home }) => {
    const place = home(settings(null));
    const { socket, relay } = await relayIn(place);
    place.write(settings(socket));
    relay.faults.set('nodes', { kind: 'answer', status: 403, text: '<html>403 Forbidden</html>' });
    const daemon = await start(place);
    expect(await reasonOf(daemon)).toBe('GET /nodes is not allowed (403): a socket proxy must let it through');
    relay.faults.delete('nodes');
    await comesUp(daemon);
  });
});

describe('DOCKER_HOST', () => {
  /** The lab's engine over TLS, to clients whose certificate its authority has signed. Resolves to its port. */
  async function overTls(options: TlsOptions): Promise<number> {
    const front = createTlsServer({ ...options, requestCert: true, rejectUnauthorized: true }, (client) => {
      const engine = connect(lab().engine.socket);
      client.on('error', () => engine.destroy());
      engine.on('error', () => client.destroy());
      client.pipe(engine).pipe(client);
    });
    await once(front.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void front.close());
    return (front.address() as AddressInfo).port;
  }
  const environment = (port: number, directory: string): Record<string, string> => ({
    DOCKER_HOST: `tcp://127.0.0.1:${port}`,
    DOCKER_TLS_VERIFY: '1',
    DOCKER_CERT_PATH: directory,
  });

  it('with TLS is respected, and both sides are checked', async ({ start: startDaemon }) => {
    const own = await certificates();
    const daemon = await startDaemon(settings(null), environment(await overTls(own.server), own.directory));
    expect(await readiness(daemon)).toBe(200);
    expect(daemon.run.log.filter(({ msg }) => msg === LOST)).toEqual([]);
  });

  it('with TLS and the wrong authority is refused, and the reason says which file to mend', async ({ start: startDaemon }) => {
    const own = await certificates();
    const other = await certificates();
    const port = await overTls(own.server);
    const daemon = await startDaemon(settings(null), environment(port, other.directory));
    expect(await reasonOf(daemon)).toMatch(
      new RegExp(`^the certificate of Docker at https://127.0.0.1:${port} is not signed by ca.pem of DOCKER_CERT_PATH`),
    );
  });

  const nonsense = {
    '/var/run/docker.sock': 'DOCKER_HOST should be something like unix:///run/docker.sock or tcp://host:2375',
    'tcp://': 'DOCKER_HOST should be something like unix:///run/docker.sock or tcp://host:2375',
    'tcp://host:port': 'DOCKER_HOST env variable should be something like tcp://localhost:1234',
  };
  for (const [value, reason] of Object.entries(nonsense)) {
    it(`that is ${value} is refused at the start: no waiting would mend it`, async ({ home }) => {
      const run = home(settings(null), { DOCKER_HOST: value }).run();
      expect((await run.exit).code).toBe(1);
      expect(run.stderr.items).toEqual([`the engine cannot be opened: DOCKER_HOST and its kin make no sense: ${reason}`]);
    });
  }

  it('whose certificates are not there is refused at the start', async ({ home }) => {
    const run = home(settings(null), environment(1, '/nowhere')).run();
    expect((await run.exit).code).toBe(1);
    expect(run.output).toContain('/nowhere/ca.pem');
  });
});
