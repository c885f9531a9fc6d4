import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { complaintLine } from '../../src/config/complaint.ts';
import { diffConfig } from '../../src/config/diff.ts';
import { configFromText, type LoadedConfig, loadConfig } from '../../src/config/load.ts';

const directory = mkdtempSync(join(tmpdir(), 'reveille-config-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

function fromText(text: string, env: Readonly<Record<string, string>> = {}): LoadedConfig {
  const result = configFromText(text, join(directory, 'orchestrator.yaml'), env);
  if (!result.ok) throw new Error(result.failure.map((one) => complaintLine('o.yaml', one)).join('\n'));
  return result.value;
}

const HELLO = `agents:
  hello:
    hostname: hello.localhost
    process: { command: [node, main.ts] }
`;

test('what is left out has the default of the contract', () => {
  const { config } = fromText(HELLO);
  expect({ ...config, agents: null }).toEqual({
    listen: ':8080',
    admin_listen: '127.0.0.1:9180',
    secret_file: null,
    engine: 'process',
    swarm: { network: null, socket: null },
    state_dir: join(directory, '.reveille'),
    max_ready_agents: 0,
    hold_max_requests: 1000,
    trusted_proxies: ['loopback'],
    log: { level: 'info', requests: 'errors' },
    metrics: { auth: 'auto' },
    limits: {
      header_bytes: 32 * 1024,
      header_lines: 200,
      uri_bytes: 8 * 1024,
      connections: 10_000,
      in_flight: 1000,
      connect: 2000,
      first_byte: 600_000,
      body_idle: 60_000,
      keep_alive: 125_000,
      upstream_idle: 4000,
    },
    ignore: { defaults: true, rules: [] },
    wake_limits: { per_client: { count: 60, per: 60_000 }, total: { count: 600, per: 60_000 } },
    shutdown: { drain_timeout: 30_000 },
    defaults: expect.anything() as unknown,
    agents: null,
  });
  expect(config.agents['hello']).toEqual({
    hostname: 'hello.localhost',
    hostnames: [],
    policy: 'on-demand',
    backend: null,
    process: { command: ['node', 'main.ts'], cwd: directory, env: {} },
    replicas: 1,
    replicas_max: 1,
    health: {
      path: '/api/health',
      url: null,
      check_interval: 30_000,
      startup_timeout: 60_000,
      timeout: 5000,
      max_failures: 3,
      max_restart_attempts: 5,
      expect: ['200-399'],
      intercept: true,
    },
    ignore: { defaults: null, rules: [] },
    idle: {
      timeout: 1_800_000,
      drain_timeout: 30_000,
      wake_cooldown: 0,
      websocket: 'open',
      busy_max: 3_600_000,
      freeze_after: null,
      min_awake: 30_000,
    },
    on_sleeping: 'auto',
    hold: { max_wait: 60_000, max_requests: 100, max_body_buffer: 64 * 1024, prefer_below: 2000 },
    pin: false,
    page: { title: null, logo: null, accent: '#3a6ea5' },
    domains: [],
    token_file: null,
  });
});

test('no agent is found by a name that every object has', () => {
  expect(fromText(HELLO).config.agents['constructor']).toBeUndefined();
});

test('an agent may be called what every object has', () => {
  const { config } = fromText('agents: { constructor: { hostname: a, process: { command: [x] } } }');
  expect(Object.keys(config.agents)).toEqual(['constructor']);
});

test('defaults lie under what an agent says, and over what the schema says', () => {
  const { config } = fromText(
    `defaults: { health: { path: /ok, timeout: 1s }, idle: { timeout: 5m } }\n${HELLO}    health: { timeout: 2s }\n`,
  );
  expect(config.agents['hello']?.health).toMatchObject({ path: '/ok', timeout: 2000, check_interval: 30_000 });
  expect(config.agents['hello']?.idle).toMatchObject({ timeout: 300_000, drain_timeout: 30_000 });
});

test('paths are relative to the file, whoever reads it from where', () => {
  const { config } = fromText(
    `state_dir: ../state\nsecret_file: /run/secret\nadmin_token_file: t\n${HELLO}    token_file: tokens/hello\n`,
  );
  expect(config.state_dir).toBe(join(directory, '../state'));
  expect(config.secret_file).toBe('/run/secret');
  expect(config.admin_token_file).toBe(join(directory, 't'));
  expect(config.agents['hello']?.token_file).toBe(join(directory, 'tokens/hello'));
});

test('variables are put into values, take the type that is wanted, and are not looked through again', () => {
  const { config } = fromText(
    `${HELLO.replace('main.ts', () => '"${A} ${B:-b} ${EMPTY:-c} [${EMPTY}] $${A} $5 ${LOOP}"')}    replicas: \${COUNT}\n    replicas_max: \${MAX:-7}\n    health: { intercept: "\${NO}" }\n    token_file: \${EMPTY}\n`,
    { A: 'a', EMPTY: '', LOOP: '${A}', COUNT: '3', NO: 'false' },
  );
  const { hello } = config.agents;
  expect(hello?.process?.command[1]).toBe('a b c [] ${A} $5 ${A}');
  expect(hello).toMatchObject({ replicas: 3, replicas_max: 7, health: { intercept: false }, token_file: null });
});

test('a token of digits from a variable stays text', () => {
  expect(fromText(`admin_token: \${T}\n${HELLO}`, { T: '12345' }).config.admin_token).toBe('12345');
});

test('replicas_max follows replicas where it is left out', () => {
  expect(fromText(`${HELLO}    replicas: 4\n`).config.agents['hello']?.replicas_max).toBe(4);
});

test('an alias stands for a whole value', () => {
  const { config } = fromText(
    `${HELLO}    idle: &idle { timeout: 1m }\n  other:\n    hostname: other.localhost\n    process: { command: [x] }\n    idle: *idle\n`,
  );
  expect(config.agents['other']?.idle.timeout).toBe(60_000);
});

test('a file that cannot be read is one complaint at its beginning', () => {
  const lineFor = (name: string): string => {
    const file = join(directory, name);
    const result = loadConfig(file, {});
    return result.ok ? 'ok' : result.failure.map((one) => complaintLine(file, one)).join('\n');
  };
  mkdirSync(join(directory, 'folder'));
  writeFileSync(join(directory, 'latin1'), Buffer.from([0x61, 0x3a, 0xe9]));
  writeFileSync(join(directory, 'huge'), `agents: {}\n${'#'.repeat(1024 * 1024)}`);
  writeFileSync(join(directory, 'largest'), `agents: {}\n${'#'.repeat(1024 * 1024 - 11)}`);
  writeFileSync(join(directory, 'marked'), '\ufeffagents: {}\r\n');
  symlinkSync('loop', join(directory, 'loop'));
  execFileSync('mkfifo', [join(directory, 'pipe')]);
  expect(lineFor('none')).toBe(`${directory}/none:1:1: there is no such file`);
  expect(lineFor('latin1/none')).toBe(
    `${directory}/latin1/none:1:1: there is no such file: a part of its path is not a directory`,
  );
  expect(lineFor('folder')).toBe(`${directory}/folder:1:1: this is a directory, not a file`);
  expect(lineFor('latin1')).toBe(`${directory}/latin1:1:1: the file is not UTF-8`);
  expect(lineFor('huge')).toBe(`${directory}/huge:1:1: the file is larger than 1 MiB`);
  expect(lineFor('largest')).toBe('ok');
  expect(lineFor('marked')).toBe('ok');
  expect(lineFor('loop')).toBe(`${directory}/loop:1:1: there are too many symbolic links in its path`);
  expect(lineFor('pipe')).toBe(`${directory}/pipe:1:1: this is not a regular file`);
  expect(lineFor('\0')).toContain('the path holds a NUL character');
});

test('a reload is told as what it changes, by value and not by text', () => {
  const before = fromText(`${HELLO}  gone: { hostname: g, process: { command: [x] } }\n`).config;
  const after = fromText(
    `listen: ":81"\nlimits: { connect: 3s, first_byte: 600s }\nadmin_token: x\ndefaults: { idle: { timeout: 1m } }\n${HELLO}  come: { hostname: c, process: { command: [x] } }\n`,
  ).config;
  expect(diffConfig(before, after)).toEqual({
    added: ['come'],
    removed: ['gone'],
    changed: ['hello'],
    settings: ['admin_token', 'limits.connect', 'listen'],
  });
  expect(diffConfig(before, before)).toEqual({ added: [], removed: [], changed: [], settings: [] });
  const same = fromText(`# a remark\n${HELLO}    idle: { timeout: 1800s }\n  gone: { process: { command: [x] }, hostname: g }\n`);
  expect(diffConfig(before, same.config)).toEqual({ added: [], removed: [], changed: [], settings: [] });
});

test('no text makes it throw, and every complaint has a place', () => {
  const word = fc.constantFrom(
    'agents',
    'kai',
    'hostname',
    'listen',
    'defaults',
    'idle',
    'health',
    'timeout',
    '__proto__',
    'toString',
    'process',
    'env',
    '<<',
    '${A}',
    '$${',
    '${',
    '~',
    '1',
    '*a',
    '&a',
    '!!set',
    '"',
    "'",
    '|',
    '\0',
    '\u2028',
    '-',
    '? ',
    ': ',
    '\n',
    '\n  ',
    '\n    ',
    '{',
    '}',
    '[',
    ']',
    ', ',
    '#',
    '%',
    '---\n',
    '30s',
    'null',
    'a.b',
    '..',
  );
  const soup = fc.array(word, { maxLength: 40 }).map((words) => words.join(''));
  const shaped = fc
    .dictionary(
      fc.constantFrom('agents', 'listen', 'defaults', 'limits', 'log', 'swarm', 'engine', 'admin_token'),
      fc.jsonValue(),
    )
    .map((value) => JSON.stringify(value));
  const agents = fc
    .dictionary(
      fc.string({ minLength: 1, maxLength: 5 }),
      fc.dictionary(
        fc.constantFrom(
          'hostname',
          'hostnames',
          'backend',
          'policy',
          'process',
          'health',
          'idle',
          'domains',
          'container',
          'replicas',
        ),
        fc.jsonValue(),
      ),
    )
    .map((value) => JSON.stringify({ agents: value }));
  fc.assert(
    fc.property(fc.oneof(soup, shaped, agents, fc.string({ unit: 'binary' })), (text) => {
      const result = configFromText(text, 'o.yaml', { A: 'x' });
      const lines = text.split('\n').length;
      for (const { line, column, message } of result.ok ? [] : result.failure) {
        expect(line).toBeGreaterThan(0);
        expect(line).toBeLessThanOrEqual(lines);
        expect(column).toBeGreaterThan(0);
        expect(message).not.toMatch(/[\n\u001b\u2028]|undefined|\[object/);
      }
      if (!result.ok) expect(result.failure).not.toHaveLength(0);
    }),
    { numRuns: 500 },
  );
});
