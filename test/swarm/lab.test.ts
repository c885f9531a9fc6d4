import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect } from 'vitest';
import { docker, enginePid, stopEngine } from '../lab/engine.ts';
import { type Lab, lab } from '../lab/lab.ts';
import { runProgram } from '../lab/run-program.ts';
import { startAgain } from '../lab/restart.ts';
import { namespacesOf } from '../lab/namespaces.ts';
import { it } from '../support/daemon.ts';

/** The lab itself: that there is a Swarm in it that does what it is for, and a wall around it. */
let here: Lab;
const run = (...args: readonly string[]): Promise<string> => docker(here.engine, ...args);

const TASK_LIMIT_MS = 240_000;
const ADDRESS_OF_RUNNING =
  '{{if eq .Status.State "running"}}{{range .NetworksAttachments}}{{range .Addresses}}{{.}} {{end}}{{end}}{{end}}';

/** The address of the service's one task on the overlay, as soon as it runs. */
async function taskAddress(service: string): Promise<string> {
  const end = performance.now() + TASK_LIMIT_MS;
  while (performance.now() < end) {
    const tasks = await run('service', 'ps', '--quiet', '--filter', 'desired-state=running', service);
    const told = tasks === '' ? '' : await run('inspect', '--type', 'task', '--format', ADDRESS_OF_RUNNING, ...tasks.split('\n'));
    const address = /[\d.]+(?=\/)/.exec(told)?.[0];
    if (address !== undefined) return address;
    await pause(50);
  }
  throw new Error(`${service} has no running task: ${await run('service', 'ps', '--no-trunc', service)}`);
}

/** What a program that stands there gets from this address. */
/** Asks again until it listens: Swarm says that a task runs before its program does. */
const fetchFrom = (prefix: readonly string[], url: string): Promise<string> => {
  const script = `const ask = () => fetch(${JSON.stringify(url)}).then((reply) => reply.text()).then(console.log, (error) => {
    if (error.cause?.code !== 'ECONNREFUSED') throw error;
    setTimeout(ask, 20);
  });
  void ask();`;
  return runProgram([...prefix, process.execPath, '--eval', script]);
};

beforeAll(() => {
  here = lab();
});

afterEach(async () => {
  await run('service', 'rm', 'probe').catch(() => undefined);
});

describe('the lab', () => {
  it('runs a service from 0 to 1, and its task answers on the overlay from the foothold', async () => {
    const flags = ['--detach', '--name', 'probe', '--network', here.network, '--endpoint-mode', 'dnsrr', '--env', 'WHO=probe'];
    await run('service', 'create', ...flags, '--replicas', '0', here.images.agent);
    await run('service', 'scale', '--detach', 'probe=1');
    const address = await taskAddress('probe');
    const answer = await fetchFrom(here.foothold.prefix, `http://${address}:8080/`);
    expect(JSON.parse(answer)).toMatchObject({ WHO: 'probe' });
  });

  it('has the real daemon run on the overlay, and reaches it there', async ({ start }) => {
    const daemon = await start({ agents: { far: { policy: 'unmanaged', backend: 'http://127.0.0.1:9' } } }, {}, here.foothold);
    expect((await daemon.call('nobody')).json).toMatchObject({ status: 404 });
    expect((await daemon.admin('/admin/health')).status).toBe(200);
    // On the overlay means that a task could call it too.
    const reached = await run(
      'run',
      '--rm',
      '--network',
      here.network,
      here.images.base,
      'node',
      '--eval',
      [
        `fetch('http://${here.foothold.overlayAddress}:${daemon.adminPort}/admin/health')`,
        '.then((reply) => console.log(reply.status))',
      ].join(''),
    );
    expect(reached).toBe('401');
  });

  it('is in namespaces of its own, and sees no interface of the machine', async () => {
    const inside = namespacesOf('self');
    for (const kind of ['mnt', 'net', 'pid'] as const) expect(inside[kind]).not.toBe(here.outside[kind]);
    const links = JSON.parse(await runProgram(['ip', '-json', 'link'])) as readonly { readonly ifname: string }[];
    expect(
      links.filter(
        ({ ifname }) => !/^(lo|docker0|docker_gwbridge|reveille0|veth\w+|\w*tunl0|sit0|gre\w*|erspan0|ip6\w*)$/.test(ifname),
      ),
    ).toEqual([]);
    expect(await runProgram(['ip', 'route', 'show', 'default'])).toBe('');
  });

  it('reaches the package registry from the base image, through the proxy', async () => {
    const inImage = ['run', '--rm', '--network', 'host', '--env', `HTTPS_PROXY=${here.proxy}`, here.images.base];
    expect(await run(...inImage, 'npm', 'view', 'vitest', 'name')).toBe('vitest');
  });

  it('restarts its engine, which knows its services again and has a foothold on the overlay', async () => {
    const flags = ['--detach', '--name', 'probe', '--network', here.network, '--endpoint-mode', 'dnsrr'];
    await run('service', 'create', ...flags, '--replicas', '0', here.images.agent);
    const before = enginePid(here.engine);
    await stopEngine(here.engine);
    expect(enginePid(here.engine)).toBeNull();
    here = await startAgain();
    expect(enginePid(here.engine)).not.toBe(before);
    expect(await run('service', 'ls', '--format', '{{.Name}} {{.Replicas}}')).toBe('probe 0/0');
    await run('service', 'scale', '--detach', 'probe=1');
    const address = await taskAddress('probe');
    expect(await fetchFrom(here.foothold.prefix, `http://${address}:8080/`)).toContain('PORT');
  });
});
