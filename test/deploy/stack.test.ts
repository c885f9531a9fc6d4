import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { complaintLine } from '../../src/config/complaint.ts';
import { configFromText } from '../../src/config/load.ts';
import type { Config } from '../../src/contract/config.ts';
import { readText } from '../house/tree.ts';
import { readStack } from './stack.ts';

/**
 * stack.yml and the config that it brings name the same things twice. Whether Docker takes them is for the suite on a real
 * Swarm to see; that they mean each other can be seen here.
 */
const GIVEN = { REVEILLE_IMAGE: 'sha256:1', HELLO_IMAGE: 'sha256:2', DOCKER_GID: '999' };
const WORLD_GIVEN = { WORLD_IMAGE: 'sha256:3', MEMCACHED_IMAGE: 'memcached@sha256:4' };
const CONFIG_FILE = 'deploy/orchestrator.swarm.yaml';

const path = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const stack = readStack('stack.yml', GIVEN);
const { reveille: daemon, ...agentServices } = stack.services;
const world = readStack('world.yml', WORLD_GIVEN);
const { memcached, ...worldAgents } = world.services;
/** The agents of the config by the name of their stack. */
const STACKS = { reveille: agentServices, bobs: worldAgents } as const;

function config(): Config {
  const loaded = configFromText(readText(CONFIG_FILE), path(CONFIG_FILE), {});
  if (!loaded.ok) throw new Error(loaded.failure.map((one) => complaintLine(CONFIG_FILE, one)).join('\n'));
  return loaded.value.config;
}

describe('stack.yml', () => {
  it('brings a config that is right, for the swarm engine', () => {
    expect(config().engine).toBe('swarm');
    expect(Object.values(stack.configs).map(({ file }) => existsSync(path(file)))).toEqual([true]);
  });

  it('and world.yml have a service for each agent of the config, under the names that the config dials and scales', () => {
    const expected = Object.entries(STACKS).flatMap(([stackName, services]) =>
      Object.entries(services).map(([name, { environment }]) => [
        name,
        `http://tasks.${stackName}_${name}:${environment?.['PORT'] ?? ''}`,
        `${stackName}_${name}`,
      ]),
    );
    const dialled = Object.entries(config().agents).map(([name, { backend, container }]) => [name, backend, container?.name]);
    expect(dialled).toEqual(expected);
  });

  it('deploys agents on demand asleep, and the one that is always on awake', () => {
    for (const [name, { policy }] of Object.entries(config().agents)) {
      const service = { ...agentServices, ...worldAgents }[name];
      expect(Number(service?.deploy.replicas), name).toBe(policy === 'on-demand' ? 0 : 1);
    }
  });

  it('tells each agent all that the contract says, with the templates of Swarm', () => {
    const { port } = new URL(`http://${config().admin_listen}`);
    for (const [name, { environment, secrets }] of Object.entries(agentServices)) {
      expect(environment, name).toEqual({
        PORT: '3000',
        HOST: '0.0.0.0',
        REVEILLE_URL: `http://reveille:${port}`,
        REVEILLE_AGENT: name,
        REVEILLE_TASK_ID: '{{.Task.ID}}',
        REVEILLE_TASK_SLOT: '{{.Task.Slot}}',
        REVEILLE_TASK_NAME: `${name}.{{.Task.Slot}}`,
      });
      expect(secrets).toMatchObject([{ source: `token_${name}`, target: 'reveille_token' }]);
    }
  });

  it('puts the secrets where the config looks for them, under the names that deploy/secrets.sh makes', () => {
    const targets = daemon?.secrets?.map(({ target }) => `/run/secrets/${target}`);
    expect(targets).toEqual([config().admin_token_file, config().secret_file]);
    expect(Object.entries(stack.secrets).map(([key, { external, name }]) => [key, external, name])).toEqual(
      Object.keys(stack.secrets).map((key) => [key, true, `reveille_${key}`]),
    );
    expect(readText('deploy/secrets.sh')).toContain(`'%s' "reveille_$1`);
  });

  it('takes no image by a tag: each is given from outside, or the deploy is refused', () => {
    expect(Object.values(stack.services).map(({ image }) => image)).toEqual(['sha256:1', 'sha256:2', 'sha256:2']);
    for (const name of Object.keys(GIVEN)) expect(() => readStack('stack.yml', { ...GIVEN, [name]: '' })).toThrow(name);
  });

  it('runs one daemon, on a manager, that goes before its successor comes', () => {
    expect(daemon?.deploy).toMatchObject({ replicas: 1, update_config: { order: 'stop-first' } });
    expect(daemon?.deploy.placement?.constraints).toEqual(['node.role == manager']);
    expect(daemon?.ports).toMatchObject([{ target: 8080, published: 8080, mode: 'host' }]);
    expect(daemon?.user).toBe('10001:999');
  });

  it('gives the daemon longer to end than it takes for what is open', () => {
    expect(Number.parseInt(daemon?.stop_grace_period ?? '', 10) * 1000).toBeGreaterThan(config().shutdown.drain_timeout);
  });

  it('has them all on the encrypted overlay that the config names', () => {
    expect(stack.networks['agents']).toMatchObject({ name: config().swarm.network, driver_opts: { encrypted: 'true' } });
    for (const { networks } of Object.values(stack.services)) expect(networks).toEqual(['agents']);
  });

  it('lets every service have a limit, tasks with addresses of their own, and nothing else that it can do without', () => {
    for (const [name, service] of Object.entries(stack.services)) {
      expect(service, name).toMatchObject({
        init: true,
        read_only: true,
        cap_drop: ['ALL'],
        deploy: { endpoint_mode: 'dnsrr', resources: { limits: { memory: expect.any(String) } } },
      });
    }
  });
});

describe('world.yml', () => {
  it('tells its agents what stack.yml tells its own, and where memcached is', () => {
    const hello = agentServices['hello']?.environment;
    for (const [name, { environment, secrets }] of Object.entries(worldAgents)) {
      expect(environment, name).toMatchObject({
        ...hello,
        REVEILLE_AGENT: name,
        REVEILLE_TASK_NAME: `${name}.{{.Task.Slot}}`,
        MEMCACHED_HOST: 'memcached',
        MEMCACHED_PORT: '11211',
      });
      expect(secrets).toMatchObject([{ source: `token_${name}`, target: 'reveille_token' }]);
      expect(world.secrets[`token_${name}`]).toEqual({ external: true, name: `reveille_token_${name}` });
    }
    expect(existsSync(path(worldAgents['scoreboard']?.command?.[1] ?? ''))).toBe(true);
  });

  it('lets nobody but this world reach memcached, which asks nobody who they are', () => {
    expect(memcached?.networks).toEqual(['bus']);
    expect(memcached?.ports).toBeUndefined();
    expect(world.networks['bus']).toMatchObject({ driver: 'overlay', internal: true, driver_opts: { encrypted: 'true' } });
    expect(world.networks['agents']).toEqual({ external: true, name: config().swarm.network });
    for (const { networks } of Object.values(worldAgents)) expect(networks).toEqual(['agents', 'bus']);
  });

  it('takes no image by a tag, and lets every service have a limit and nothing that it can do without', () => {
    for (const name of Object.keys(WORLD_GIVEN))
      expect(() => readStack('world.yml', { ...WORLD_GIVEN, [name]: '' })).toThrow(name);
    for (const [name, service] of Object.entries(world.services)) {
      expect(service, name).toMatchObject({
        init: true,
        read_only: true,
        cap_drop: ['ALL'],
        deploy: { endpoint_mode: 'dnsrr', resources: { limits: { memory: expect.any(String) } } },
      });
    }
  });

  it('keeps snapshots on a volume, where the image has made room for them', () => {
    const { environment, volumes = [] } = worldAgents['world']!;
    const [volume = '', target = ''] = String(volumes[0]).split(':');
    expect(Object.keys(world.volumes ?? {})).toEqual([volume]);
    expect(environment?.['REVOLT_SNAPSHOT_DIR']).toMatch(new RegExp(`^${target}/`));
    expect(readText('Dockerfile')).toContain(`install -d -o 10001 -g 10001 -m 0700 ${target}\n`);
  });

  it('stands beside itself, for a second world of the same daemon', () => {
    const second = readStack('world.yml', { ...WORLD_GIVEN, RACK: '-2', SECRETS: '_3' });
    expect(second.services['world']?.environment).toMatchObject({ REVEILLE_AGENT: 'world-2' });
    expect(second.secrets['token_scoreboard']?.name).toBe('reveille_token_scoreboard-2_3');
  });
});

describe('deploy/peer.yml', () => {
  it('gives the troopers the address of the other world, and the secret as a file', () => {
    const peer = readStack('deploy/peer.yml', { PEER_DASHBOARD_URL: 'http://other:8080' });
    expect(Object.keys(peer.services).filter((name) => !(name in worldAgents))).toEqual([]);
    const { environment, secrets } = peer.services['world']!;
    expect(environment).toEqual({
      PEER_DASHBOARD_URL: 'http://other:8080',
      REVOLT_SECRET_FILE: `/run/secrets/${secrets?.[0]?.target ?? ''}`,
    });
    expect(secrets?.[0]?.source).toBe(Object.keys(peer.secrets)[0]);
    expect(() => readStack('deploy/peer.yml', {})).toThrow('PEER_DASHBOARD_URL');
  });
});

describe('deploy/cloudflared.yml', () => {
  const digest = 'cloudflare/cloudflared@sha256:1';
  const front = readStack('deploy/cloudflared.yml', { CLOUDFLARED_IMAGE: digest });

  it('puts nobody but the daemon on the network that is believed about who is calling', () => {
    const [{ subnet } = { subnet: '' }] = front.networks['front']?.ipam?.config ?? [];
    const there = Object.entries({ ...stack.services, ...front.services }).filter(([, { networks }]) =>
      networks.includes('front'),
    );
    expect(there.map(([name]) => name).sort()).toEqual(['cloudflared', 'reveille']);
    expect(front.services['reveille']?.environment).toEqual({ FRONT_SUBNET: subnet });
    const loaded = configFromText(readText(CONFIG_FILE), path(CONFIG_FILE), { FRONT_SUBNET: subnet });
    expect(loaded.ok && loaded.value.config.trusted_proxies).toEqual([subnet]);
    expect(config().trusted_proxies).toEqual(['loopback']);
  });

  it('takes cloudflared by a digest that is given from outside', () => {
    expect(front.services['cloudflared']?.image).toBe(digest);
    expect(() => readStack('deploy/cloudflared.yml', {})).toThrow('CLOUDFLARED_IMAGE');
  });
});
