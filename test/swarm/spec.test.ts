import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { Relay } from './relay.ts';
import { it, until } from './stage.ts';

/** Promise G: two writers, and nothing but the number of replicas is ours. */

/** The spec as text: numbers of 64 bits would not survive being parsed. */
function specIn(raw: string): string {
  const begin = raw.indexOf('"Spec":') + '"Spec":'.length;
  let depth = 0;
  let quoted = false;
  for (let at = begin; at < raw.length; at += 1) {
    const character = raw[at];
    if (character === '"' && raw[at - 1] !== '\\') quoted = !quoted;
    if (quoted) continue;
    if (character === '{') depth += 1;
    if (character === '}' && (depth -= 1) === 0) return raw.slice(begin, at + 1);
  }
  throw new Error(`no spec in ${raw}`);
}

const withoutReplicas = (spec: string): string => spec.replace(/"Replicas":\d+/, '"Replicas":n');

/** As odd as the command line can make a service that still runs here. */
const ODD = [
  ...['--label', 'odd.label=a "quoted" value', '--container-label', 'in=side', '--env', 'Ü=é', '--env', 'EMPTY='],
  ...['--stop-grace-period', '2400h', '--stop-signal', 'SIGTERM', '--read-only', '--mount', 'type=tmpfs,target=/scratch'],
  ...['--limit-memory', '256m', '--limit-cpu', '0.75', '--reserve-memory', '16m', '--limit-pids', '200'],
  ...['--restart-condition', 'on-failure', '--restart-delay', '1h2m3s', '--restart-max-attempts', '7'],
  ...['--restart-window', '2562047h', '--update-delay', '1ns', '--update-monitor', '2562047h', '--update-parallelism', '3'],
  ...['--update-max-failure-ratio', '0.123456', '--rollback-order', 'start-first', '--rollback-monitor', '9007199254740993ns'],
  ...['--constraint', 'node.role==manager', '--placement-pref', 'spread=node.labels.rack', '--replicas-max-per-node', '9'],
  ...['--health-cmd', 'true', '--health-interval', '1h', '--health-retries', '9', '--health-start-period', '3h'],
  ...['--log-driver', 'json-file', '--log-opt', 'max-size=1m', '--hostname', 'odd-{{.Task.Slot}}', '--host', 'other:10.9.8.7'],
  ...['--dns', '127.0.0.11', '--dns-option', 'ndots:1', '--cap-add', 'NET_ADMIN', '--cap-drop', 'MKNOD', '--user', '0:0'],
  ...['--ulimit', 'nofile=1024:2048', '--sysctl', 'net.core.somaxconn=1024', '--isolation', 'default', '--group', '1234'],
  ...['--publish', 'mode=host,target=8080,published=39181', '--workdir', '/tmp', '--tty', '--no-healthcheck=false'],
];

describe.concurrent('the spec of a service', () => {
  it('G: is the same to the byte after sleep and wake, but for the number of replicas', async ({ stage }) => {
    const secret = await stage.secret(stage.tokenOf('odd'));
    const options = [...ODD, '--secret', `source=${secret},target=reveille_token,mode=0400`];
    await stage.deploy('odd', { options });
    const before = specIn(await stage.raw('odd'));
    // Beyond 2^53: what a JSON parser would round.
    expect(before).toContain('8640000000000000');
    expect(before).toContain('9007199254740993');
    const daemon = await stage.start({ odd: { idle: { timeout: '1s' } } });
    const { task } = (await daemon.wake('odd')).json;
    expect(withoutReplicas(specIn(await stage.raw('odd')))).toBe(withoutReplicas(before));
    await daemon.event('agent.sleep', 'odd');
    expect(specIn(await stage.raw('odd'))).toBe(before);
    expect((await daemon.wake('odd')).json.task).not.toBe(task);
    // Swarm itself writes once when it has found a place for the port.
    const ours = (await stage.updates('odd')).filter(({ replicas }) => replicas !== null);
    expect(ours.map(({ replicas }) => replicas?.[1])).toEqual([1, 0, 1]);
  });

  it('G: an update by somebody else in between is read again, kept, and retried once', async ({ stage }) => {
    await stage.deploy('contested');
    const relay = new Relay(join(stage.home.directory, 'docker.sock'), stage.lab.engine.socket);
    await relay.open();
    const swarm = { network: stage.lab.network, socket: join(stage.home.directory, 'docker.sock') };
    const daemon = await stage.start({ contested: { idle: { timeout: '1m' } } }, { swarm });
    relay.beforeNext(/^POST .*\/update$/, async () => {
      await stage.docker('service', 'update', '--detach', '--label-add', 'theirs=kept', 'contested');
    });
    expect((await daemon.wake('contested')).status).toBe(200);
    expect(await stage.raw('contested')).toContain('"theirs":"kept"');
    expect(relay.calls.filter((call) => call.startsWith('POST')).length).toBe(2);
    expect((await daemon.metrics()).get('engine_update_conflicts_total')).toBe(1);
    expect((await stage.updates('contested')).map(({ replicas }) => replicas)).toEqual([null, [0, 1]]);
    expect(daemon.eventsOf('contested')).toEqual(['agent.wake', 'agent.starting', 'agent.ready']);
    await daemon.home.close();
    await relay.cut();
  });

  it('`docker stack deploy` over a live agent: to 0 it sleeps, to 1 it goes on, and nothing fights', async ({ stage }) => {
    // As an operator has it: the stack file is the truth for all but the number of replicas.
    const name = 'stacked_agent';
    const file = join(stage.home.directory, 'stack.yml');
    const write = (replicas: number, added: string): void =>
      writeFileSync(
        file,
        JSON.stringify({
          version: '3.8',
          networks: { agents: { external: true, name: stage.lab.network } },
          services: {
            agent: {
              image: stage.lab.images.agent,
              init: true,
              networks: ['agents'],
              environment: { PORT: '8080', HOST: '0.0.0.0', ADDED: added },
              deploy: { replicas, endpoint_mode: 'dnsrr', labels: { added } },
            },
          },
        }),
      );
    const deploy = (replicas: number, added: string): Promise<string> => {
      write(replicas, added);
      return stage.docker('stack', 'deploy', '--resolve-image', 'never', '--compose-file', file, 'stacked');
    };
    await deploy(0, 'first');
    stage.owns(name);
    const agent = { backend: `http://tasks.${name}:8080`, container: { name }, idle: { timeout: '1m' }, health: { path: null } };
    const daemon = await stage.start({ live: agent });
    const first = (await daemon.wake('live')).json;
    expect(first.ADDED).toBe('first');

    // The same stack file again while it is awake: it says 0, so it is asleep now, and a call wakes it.
    await deploy(0, 'first');
    expect(await daemon.event('agent.sleep', 'live')).toMatchObject({ reason: 'external' });
    expect(await stage.wanted(name)).toBe(0);
    const second = await daemon.wake('live');
    expect(second.status).toBe(200);

    // One that says 1, over a live agent, changes what runs and not that it runs.
    await deploy(1, 'second');
    const third = await until(
      'the new version serves',
      () => daemon.wake('live'),
      ({ json }) => json.ADDED === 'second',
    );
    expect(third.status).toBe(200);
    expect(await stage.wanted(name)).toBe(1);
    expect((await daemon.view('live')).state).toBe('ready');
  });
});
