import { expect, test } from 'vitest';
import { configFromText } from '../../src/config/load.ts';
import { agentFromBody } from '../../src/config/made-agent.ts';
import type { Config } from '../../src/contract/config.ts';

function configOf(text: string): Config {
  const result = configFromText(text, '/etc/reveille/orchestrator.yaml', {});
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value.config;
}

const PROCESS = configOf(`
defaults: { health: { check_interval: 90s, expect: ["200"] }, idle: { drain_timeout: 1500ms } }
agents: { kai: { hostname: kai.example.com, process: { command: [x] } } }
`);
const SWARM = configOf('engine: swarm\nagents: {}\n');
const BODY = { name: 'files', hostname: 'files.example.com', backend: 'http://127.0.0.1:7000', policy: 'unmanaged' };

test('an agent made by the API is what the same agent in the file would be', () => {
  const made = agentFromBody(BODY, PROCESS, '/etc/reveille');
  const written = configOf(`
defaults: { health: { check_interval: 90s, expect: ["200"] }, idle: { drain_timeout: 1500ms } }
agents: { files: { hostname: files.example.com, backend: "http://127.0.0.1:7000", policy: unmanaged } }
`);
  expect(made).toEqual({ ok: true, value: { name: 'files', agent: written.agents['files'] } });
});

test('every key of the body goes where it belongs', () => {
  const body = { ...BODY, policy: 'on-demand', container_name: 'svc', health_url: 'http://x/ok', idle_timeout: '2h' };
  expect(agentFromBody(body, SWARM, '/')).toMatchObject({
    ok: true,
    value: {
      agent: { policy: 'on-demand', container: { name: 'svc' }, health: { url: 'http://x/ok' }, idle: { timeout: 7_200_000 } },
    },
  });
});

test.each([
  ['a body that is none', 5, ['the body must be a mapping, not 5']],
  ['an unknown key', { ...BODY, hostnam: 'x' }, ['hostnam is not a known key; the nearest known one is hostname']],
  ['a missing key', { name: 'a', hostname: 'a', policy: 'unmanaged' }, ['backend is missing']],
  [
    'a managed agent on the process engine',
    { ...BODY, policy: 'on-demand' },
    ['policy must be unmanaged on the process engine: what to run is said in the config file only'],
  ],
  [
    'values that the schema refuses',
    { ...BODY, hostname: 'a b', backend: 'https://x', idle_timeout: '0s' },
    [
      'hostname must be a hostname such as kai.example.com, or *.example.com, without scheme and port, not "a b"',
      'backend must be an address such as http://127.0.0.1:3000 or null, not "https://x": it is https, and agents are dialled by http:// only',
      'idle_timeout must be a duration above zero such as 250ms, 30s, 10m, 2h or 1d, not "0s"',
    ],
  ],
  [
    "the daemon's own port",
    { ...BODY, backend: 'http://localhost:9180' },
    ['backend, "http://localhost:9180", is the daemon itself (admin_listen)'],
  ],
  [
    'a hostname of the file',
    { ...BODY, hostname: 'KAI.example.com' },
    ['hostname, "KAI.example.com", is already agents.kai.hostname'],
  ],
])('%s is refused in the words of the body', (_, body, complaints) => {
  const result = agentFromBody(body, PROCESS, '/');
  expect(result.ok ? [] : [...result.failure].sort()).toEqual([...complaints].sort());
});
