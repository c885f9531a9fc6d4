import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readSettings } from '../../agents/membus/settings.ts';
import { readBusPlace } from '../../agents/world/bus-place.ts';
import { complaintLine } from '../../src/config/complaint.ts';
import { configFromText } from '../../src/config/load.ts';
import type { Config } from '../../src/contract/config.ts';

const FILE = fileURLToPath(new URL('../../orchestrator.yaml', import.meta.url));
const TEXT = readFileSync(FILE, 'utf8');
/** As a reader would: the `# ` in front of what is an example and not a sentence taken away. */
const WITH_EXAMPLES = TEXT.replace(/^( {2})# ( *[a-z_]+:(?: |$))/gm, '$1$2');

function load(text: string): Config {
  const result = configFromText(text, FILE, {});
  if (!result.ok) throw new Error(result.failure.map((one) => complaintLine('orchestrator.yaml', one)).join('\n'));
  return result.value.config;
}

describe('the bundled orchestrator.yaml', () => {
  it('serves hello to this machine alone, asleep until called, and awake for a minute', () => {
    const { listen, admin_listen, engine, agents } = load(TEXT);
    expect({ listen, admin_listen, engine }).toEqual({
      listen: '127.0.0.1:8080',
      admin_listen: '127.0.0.1:9180',
      engine: 'process',
    });
    expect(agents['hello']).toMatchObject({
      hostname: 'hello.localhost',
      hostnames: ['localhost'],
      policy: 'on-demand',
      process: { command: ['node', 'agents/hello/main.ts'] },
      idle: { timeout: 60_000 },
      domains: ['*.hello.localhost'],
    });
  });

  it('has a world that sleeps until it is looked at, and comes back as large as it may have grown', () => {
    const { agents } = load(TEXT);
    expect(agents['world']).toMatchObject({
      hostname: 'world.localhost',
      policy: 'on-demand',
      replicas: 3,
      replicas_max: 20,
      idle: { timeout: 600_000 },
    });
    expect(agents['scoreboard']).toMatchObject({ hostname: 'scoreboard.localhost', policy: 'on-demand' });
  });

  it('runs nothing from the start but what remembers for those who sleep, in the directory that a checkout does not share', () => {
    const { agents, state_dir } = load(TEXT);
    const running = Object.entries(agents).filter(([, { policy }]) => policy !== 'on-demand');
    expect(running.map(([name]) => name)).toEqual(['membus']);
    const settings = readSettings(agents['membus']?.process?.env ?? {}, '127.0.0.1');
    for (const name of ['world', 'scoreboard']) {
      const env = agents[name]?.process?.env ?? {};
      expect(readBusPlace(env), name).toEqual({ host: settings.host, port: settings.port });
    }
    for (const file of [settings.file, resolve(agents['world']?.process?.env['REVOLT_SNAPSHOT_DIR'] ?? '')]) {
      expect(dirname(file)).toBe(state_dir);
    }
  });

  it('has examples that are in order once their `#` is taken away', () => {
    expect(Object.keys(load(WITH_EXAMPLES).agents)).toEqual([
      ...['hello', 'world', 'scoreboard', 'membus'],
      ...['kai', 'clock', 'wiki'],
    ]);
  });
});
