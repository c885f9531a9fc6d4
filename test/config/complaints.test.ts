import { describe, expect, test } from 'vitest';
import { complaintLine } from '../../src/config/complaint.ts';
import { configFromText } from '../../src/config/load.ts';

const ENV = { COUNT: '3', NAME: 'kai.example.com', PORT: '4001', SECRET: 'sesame', EMPTY: '' };
const HELLO = '\nagents:\n  hello: { hostname: hello.localhost, process: { command: [node] } }';

function complaintsOf(text: string): string[] {
  const result = configFromText(text, 'o.yaml', ENV);
  return result.ok ? [] : result.failure.map((one) => complaintLine('o.yaml', one));
}

/** Each row: what is wrong, the file, every line that is said about it. */
const ROWS: readonly (readonly [string, string, readonly string[]])[] = [
  // The file as a whole.
  ['an empty file', '', ['o.yaml:1:1: the file is empty; the least it needs is `agents: {}`']],
  ['only a comment', '# later\n', ['o.yaml:1:1: the file is empty; the least it needs is `agents: {}`']],
  ['a list', '- a\n', ['o.yaml:1:1: the file must be a mapping; the least it needs is `agents: {}`']],
  ['a word', 'hello\n', ['o.yaml:1:1: the file must be a mapping; the least it needs is `agents: {}`']],
  ['no agents', 'listen: ":8080"\n', ['o.yaml:1:1: agents is missing (The agents by name)']],
  ['agents left empty', 'agents:\n', ['o.yaml:1:8: agents must be a mapping, not null']],
  ['two documents', 'agents: {}\n---\nagents: {}\n', ['o.yaml:2:1: a second YAML document begins here; the file must hold one']],
  // YAML.
  ['an open bracket', 'agents: {\n', ['o.yaml:2:1: the indentation is wrong, or a bracket or quote before this is not closed']],
  [
    'an open quote',
    'listen: ":8080\n',
    ['o.yaml:2:1: something is missing here: a quote, a colon, a comma, a bracket or a space'],
  ],
  ['a tab', 'agents:\n\thello: 1\n', ['o.yaml:2:1: a tab cannot be used to indent; use spaces']],
  ['two colons', 'listen: a: b\n', ['o.yaml:1:9: a second `key:` on this line; put the value in quotes, or begin a new line']],
  [
    'a reserved first character',
    'admin_token: @sesame\nagents: {}\n',
    ['o.yaml:1:14: a value that begins with this character must be put in quotes'],
  ],
  [
    'a bad token after a quoted one',
    'admin_token: "a"sesame\nagents: {}\n',
    ['o.yaml:1:17: this cannot stand here; the lines before it may lack a dash, a colon or a quote'],
  ],
  ['an unknown tag', 'agents: !things {}\n', ['o.yaml:1:9: this tag (!name) is not known; leave it out']],
  ['a binary tag', 'listen: !!binary aGk=\nagents: {}\n', ['o.yaml:1:18: listen is not a plain value']],
  [
    'a variable inside brackets',
    'agents: { a: { hostname: ${NAME} } }\n',
    [
      'o.yaml:1:27: this cannot stand here; the lines before it may lack a dash, a colon or a quote; inside {} and [], ${...} must be put in quotes',
    ],
  ],
  ['a key twice', 'listen: ":1"\nagents: {}\nlisten: ":2"\n', ['o.yaml:3:1: listen is given twice; the first is at line 1']],
  ['a key that is a list', '? [a]\n: 1\nagents: {}\n', ['o.yaml:1:3: the file has a key that is not plain text']],
  [
    'a merge key',
    `x: &x {}${HELLO}\n  other:\n    <<: *x\n`,
    [
      'o.yaml:1:1: x is not a known key; the nearest known one is log',
      'o.yaml:4:3: agents.other.hostname is missing (The hostname, or `*.suffix`, that reaches the agent)',
      'o.yaml:4:3: agents.other.process.command is missing; on the process engine it says what to run',
      'o.yaml:5:5: merge keys (<<) are not taken; use `defaults`, or an alias for a whole value',
    ],
  ],
  ['an alias to nothing', 'listen: *no\nagents: {}\n', ['o.yaml:1:9: listen refers to "no", but no anchor &no comes before it']],
  [
    'an alias inside its own anchor',
    'trusted_proxies: &x [*x]\nagents: {}\n',
    [expect.stringMatching(/^o\.yaml:1:21: trusted_proxies(\[0\])+ is nested deeper than 32 levels$/) as string],
  ],
  ['a NUL character', 'state_dir: "a\\0b"\nagents: {}\n', ['o.yaml:1:12: state_dir holds a NUL character']],
  // Variables.
  [
    'a variable that is not set',
    'listen: ${LISTEN}\nagents: {}\n',
    ['o.yaml:1:9: listen needs ${LISTEN}, which is not set in the environment; ${LISTEN:-default} would do without'],
  ],
  [
    'a variable that is not closed',
    'listen: ${LISTEN\nagents: {}\n',
    ['o.yaml:1:9: listen has a ${ that is never closed; write $${ where the text itself is meant'],
  ],
  [
    'a variable inside a default',
    'listen: ${A:-${B}}\nagents: {}\n',
    ['o.yaml:1:9: listen has a ${ inside the default of ${A}, which is not possible'],
  ],
  [
    'no name for a variable',
    'listen: ${a b}\nagents: {}\n',
    ['o.yaml:1:9: listen has a ${...} that is neither ${VAR} nor ${VAR:-default}; write $${ where the text itself is meant'],
  ],
  [
    'a bad value from a variable',
    'listen: ${SECRET}\nagents: {}\n',
    ['o.yaml:1:9: listen must be an address to listen on such as :8080 or 127.0.0.1:8080, not what ${SECRET} holds'],
  ],
  // Values.
  ['an unknown key', `listn: ":1"${HELLO}`, ['o.yaml:1:1: listn is not a known key; the nearest known one is listen']],
  [
    'a prototype',
    `__proto__: { listen: 1 }${HELLO}`,
    [expect.stringMatching(/^o\.yaml:1:1: __proto__ is not a known key/) as string],
  ],
  [
    'a bad address',
    `listen: 8080${HELLO}`,
    ['o.yaml:1:9: listen must be an address to listen on such as :8080 or 127.0.0.1:8080, not 8080'],
  ],
  [
    'a port too high',
    `listen: ":65536"${HELLO}`,
    ['o.yaml:1:9: listen must be an address to listen on such as :8080 or 127.0.0.1:8080, not ":65536"'],
  ],
  [
    'an empty token',
    `admin_token: ""${HELLO}`,
    ['o.yaml:1:14: admin_token must be text of visible ASCII characters without spaces'],
  ],
  [
    'a number for a token',
    `admin_token: 12345${HELLO}`,
    ['o.yaml:1:14: admin_token must be text of visible ASCII characters without spaces; put it in quotes'],
  ],
  [
    'two tokens',
    `admin_token: sesame\nadmin_token_file: t${HELLO}`,
    ['o.yaml:2:1: admin_token and admin_token_file are both given; keep one'],
  ],
  ['an engine that does not exist', `engine: docker${HELLO}`, ['o.yaml:1:9: engine must be one of process, swarm, not "docker"']],
  [
    'a bad range of addresses',
    `trusted_proxies: [10.0.0.0/33, nobody]${HELLO}`,
    [
      'o.yaml:1:19: trusted_proxies[0] must be an address range such as 10.0.0.0/8, or the word loopback or private, not "10.0.0.0/33"',
      'o.yaml:1:32: trusted_proxies[1] must be an address range such as 10.0.0.0/8, or the word loopback or private, not "nobody"',
    ],
  ],
  [
    'bad limits',
    `limits: { header_bytes: 32, connect: 0s, connections: 0 }${HELLO}`,
    [
      'o.yaml:1:25: limits.header_bytes must be a size above zero such as 32KB, 1MB or 2GB, not 32',
      'o.yaml:1:38: limits.connect must be a duration above zero such as 250ms, 30s, 10m, 2h or 1d, not "0s"',
      'o.yaml:1:55: limits.connections must be a whole number from 1 to 1000000, not 0',
    ],
  ],
  [
    'the same port twice',
    `listen: ":80"\nadmin_listen: "127.0.0.1:80"${HELLO}`,
    ['o.yaml:2:15: admin_listen must differ from listen: both want the same port'],
  ],
  [
    "Docker's ingress network",
    'engine: swarm\nswarm: { network: ingress }\nagents: {}',
    ["o.yaml:2:19: swarm.network must be an overlay of your own; tasks cannot be reached on Docker's ingress network"],
  ],
  [
    'a mistake in a default, once',
    `defaults: { idle: { timeot: 1s, timeout: 1x } }${HELLO}`,
    [
      'o.yaml:1:21: defaults.idle.timeot is not a known key; the nearest known one is timeout',
      'o.yaml:1:42: defaults.idle.timeout must be a duration above zero such as 250ms, 30s, 10m, 2h or 1d, not "1x"',
    ],
  ],
  [
    'an escape sequence',
    'listen: "\\e[2J"\nagents: {}',
    ['o.yaml:1:9: listen must be an address to listen on such as :8080 or 127.0.0.1:8080, not "\\u001b[2J"'],
  ],
  // Agents.
  [
    'a bad name',
    'agents:\n  Kai: { hostname: a }\n',
    ['o.yaml:2:3: "Kai" is not a name for an agent: 1 to 63 characters of a-z, 0-9 and -, not beginning with -'],
  ],
  ['an agent that is a word', 'agents:\n  a: hello\n', ['o.yaml:2:6: agents.a must be a mapping, not "hello"']],
  [
    'hostnames that are none',
    'agents:\n  a:\n    hostname: http://a\n    hostnames: ["a b", "*", "a:80"]\n    process: { command: [x] }\n',
    [
      'o.yaml:3:15: agents.a.hostname must be a hostname such as kai.example.com, or *.example.com, without scheme and port, not "http://a"',
      'o.yaml:4:17: agents.a.hostnames[0] must be a hostname such as kai.example.com, or *.example.com, without scheme and port, not "a b"',
      'o.yaml:4:24: agents.a.hostnames[1] must be a hostname such as kai.example.com, or *.example.com, without scheme and port, not "*"',
      'o.yaml:4:29: agents.a.hostnames[2] must be a hostname such as kai.example.com, or *.example.com, without scheme and port, not "a:80"',
    ],
  ],
  [
    'a hostname twice, the schema having failed too',
    'agents:\n  a:\n    hostname: A.example.com.\n    polcy: on-demand\n    process: { command: [x] }\n  b:\n    hostname: b\n    hostnames: [a.example.COM]\n    process: { command: [x] }\n',
    [
      'o.yaml:4:5: agents.a.polcy is not a known key; the nearest known one is policy',
      'o.yaml:8:17: agents.b.hostnames[0], "a.example.COM", is already agents.a.hostname, line 3',
    ],
  ],
  [
    'a wildcard twice',
    'agents:\n  a: { hostname: "*.x.org", process: { command: [x] } }\n  b: { hostname: "*.X.org", process: { command: [x] } }\n',
    ['o.yaml:3:18: agents.b.hostname, "*.X.org", is already agents.a.hostname, line 2'],
  ],
  [
    'a hostname twice, from a variable',
    'agents:\n  a: { hostname: kai.example.com, process: { command: [x] } }\n  b: { hostname: "${NAME}", process: { command: [x] } }\n',
    ['o.yaml:3:18: agents.b.hostname, what ${NAME} holds, is already agents.a.hostname, line 2'],
  ],
  [
    'a domain of another',
    'agents:\n  a: { hostname: a, process: { command: [x] } }\n  b: { hostname: b, domains: [A, "*.b"], process: { command: [x] } }\n',
    ['o.yaml:3:31: agents.b.domains[0], "A", cannot be registered: it is agents.a.hostname, line 2'],
  ],
  [
    'no container on swarm',
    'engine: swarm\nagents:\n  a: { hostname: a, backend: "http://tasks.a:80" }\n  b: { hostname: b, backend: "http://b:80", policy: unmanaged }\n',
    ['o.yaml:3:3: agents.a.container.name is missing; on the swarm engine it says which service the agent is'],
  ],
  [
    'no backend on swarm',
    'engine: swarm\nagents:\n  a: { hostname: a, container: { name: a } }\n',
    ['o.yaml:3:3: agents.a.backend is missing; on the swarm engine it says where it listens, as in http://tasks.SERVICE:8080'],
  ],
  [
    'no command on process',
    'agents:\n  a: { hostname: a }\n',
    ['o.yaml:2:3: agents.a.process.command is missing; on the process engine it says what to run'],
  ],
  [
    'an empty command',
    'agents:\n  a: { hostname: a, process: { command: [] } }\n  b: { hostname: b, process: { command: [""] } }\n',
    [
      'o.yaml:2:41: agents.a.process.command must be a list with something in it, not a list',
      'o.yaml:3:42: agents.b.process.command[0] must be the program to run, not empty',
    ],
  ],
  [
    'unmanaged without backend',
    'agents:\n  a: { hostname: a, policy: unmanaged }\n',
    ['o.yaml:2:3: agents.a.backend is missing; for an unmanaged agent it says where it listens'],
  ],
  [
    'variables of the engine',
    'agents:\n  a: { hostname: a, process: { command: [x], env: { PORT: "1", REVEILLE_TOKEN: sesame, b-c: x, D: 5 } } }\n',
    [
      'o.yaml:2:53: agents.a.process.env.PORT is set by the process engine; for a fixed port write `backend: http://127.0.0.1:PORT`',
      'o.yaml:2:64: agents.a.process.env.REVEILLE_TOKEN is set by the process engine',
      'o.yaml:2:88: "b-c" is not a name for a variable: letters, digits and _, not beginning with a digit',
      'o.yaml:2:99: agents.a.process.env.D must be text; put it in quotes',
    ],
  ],
  [
    'replicas on one port',
    'agents:\n  a: { hostname: a, backend: "http://127.0.0.1:4000", replicas: 2, process: { command: [x] } }\n',
    ['o.yaml:2:65: agents.a.replicas must be 1, not 2: backend fixes the port, and only one process can listen on it'],
  ],
  [
    'replicas_max too low',
    'agents:\n  a: { hostname: a, replicas: 4, replicas_max: 2, process: { command: [x] } }\n',
    ['o.yaml:2:48: agents.a.replicas_max must be at least as many as replicas, not 2'],
  ],
  [
    'a port of another',
    'agents:\n  a: { hostname: a, backend: "http://127.0.0.1:4001", process: { command: [x] } }\n  b: { hostname: b, backend: "http://127.0.0.1:${PORT}", process: { command: [x] } }\n',
    ['o.yaml:3:30: agents.b.backend, what ${PORT} holds, has the same port as the agent a'],
  ],
  [
    "the daemon's own port",
    'listen: ":4000"\nagents:\n  a: { hostname: a, backend: "http://localhost:4000", policy: unmanaged }\n  b: { hostname: b, backend: "http://127.0.0.1:9180", policy: unmanaged }\n',
    [
      'o.yaml:3:30: agents.a.backend, "http://localhost:4000", is the daemon itself (listen)',
      'o.yaml:4:30: agents.b.backend, "http://127.0.0.1:9180", is the daemon itself (admin_listen)',
    ],
  ],
  [
    'backends that cannot be dialled',
    [
      'agents:',
      '  a: { hostname: a, policy: unmanaged, backend: "https://x" }',
      '  b: { hostname: b, policy: unmanaged, backend: "http://me:sesame@x" }',
      '  c: { hostname: c, policy: unmanaged, backend: "http://x/y" }',
      '  d: { hostname: d, policy: unmanaged, backend: "http://x?y" }',
      '  e: { hostname: e, policy: unmanaged, backend: "x:80" }',
      '  f: { hostname: f, backend: "http://10.0.0.9:80", process: { command: [x] } }',
      '',
    ].join('\n'),
    [
      'o.yaml:2:49: agents.a.backend must be an address such as http://127.0.0.1:3000 or null, not "https://x": it is https, and agents are dialled by http:// only',
      'o.yaml:3:49: agents.b.backend must be an address such as http://127.0.0.1:3000 or null, not "http://...@x": it carries a user name',
      'o.yaml:4:49: agents.c.backend must be only scheme, host and port, not "http://x/y": it has a path, and requests keep their own',
      'o.yaml:5:49: agents.d.backend must be only scheme, host and port, not "http://x?y": it has a path, and requests keep their own',
      'o.yaml:6:49: agents.e.backend must be an address such as http://127.0.0.1:3000 or null, not "x:80": it does not begin with http://',
      'o.yaml:7:30: agents.f.backend must be http://127.0.0.1:PORT: the process engine runs the agent on this machine; for one that runs elsewhere write `policy: unmanaged`',
    ],
  ],
  [
    'status codes',
    'agents:\n  a: { hostname: a, health: { expect: [200, "399-200", "2xx"] }, process: { command: [x] } }\n',
    [
      'o.yaml:2:40: agents.a.health.expect[0] must be a status code such as "200" or a range such as "200-399", not 200; put it in quotes',
      'o.yaml:2:45: agents.a.health.expect[1] must rise, as in "200-399", not "399-200"',
      'o.yaml:2:56: agents.a.health.expect[2] must be a status code such as "200" or a range such as "200-399", not "2xx"',
    ],
  ],
  [
    'how a waiting page looks',
    "agents:\n  a:\n    hostname: a\n    process: { command: [x] }\n    page:\n      title: ' '\n      accent: #0a7\n      logo: ''\n" +
      `  b: { hostname: b, process: { command: [x] }, page: { title: "${'x'.repeat(101)}", accent: '#12345', icon: x } }\n`,
    [
      'o.yaml:6:14: agents.a.page.title must be one line of 1 to 100 characters or null, not " "',
      'o.yaml:7:15: agents.a.page.accent must be a colour in quotes such as "#0a7" or "#00aa77", not null',
      'o.yaml:8:13: agents.a.page.logo must be a path or null, not ""',
      expect.stringMatching(/^o\.yaml:9:63: agents\.b\.page\.title must be one line of 1 to 100 characters or null/) as string,
      'o.yaml:9:176: agents.b.page.accent must be a colour in quotes such as "#0a7" or "#00aa77", not "#12345"',
      expect.stringMatching(/^o\.yaml:9:186: agents\.b\.page\.icon is not a known key/) as string,
    ],
  ],
  [
    'an unknown way to meet callers',
    'agents:\n  a: { hostname: a, on_sleeping: wait, process: { command: [x] } }\n',
    ['o.yaml:2:34: agents.a.on_sleeping must be one of auto, refuse, hold, page, not "wait"'],
  ],
  [
    'limits of holding that hold nothing',
    'hold_max_requests: 0\nmax_ready_agents: -1\nagents:\n  a: { hostname: a, hold: { max_wait: 0s, max_requests: 0, max_body_buffer: 0KB }, process: { command: [x] } }\n',
    [
      'o.yaml:1:20: hold_max_requests must be a whole number from 1 to 1000000, not 0',
      'o.yaml:2:19: max_ready_agents must be a whole number from 0 to 1000000, not -1',
      'o.yaml:4:39: agents.a.hold.max_wait must be a duration above zero such as 250ms, 30s, 10m, 2h or 1d, not "0s"',
      'o.yaml:4:57: agents.a.hold.max_requests must be a whole number from 1 to 1000000, not 0',
      'o.yaml:4:77: agents.a.hold.max_body_buffer must be a size above zero such as 32KB, 1MB or 2GB, not "0KB"',
    ],
  ],
  [
    'an agent that sleeps before it is frozen',
    'agents:\n  a: { hostname: a, idle: { timeout: 1m, freeze_after: 60s }, process: { command: [x] } }\n',
    [
      'o.yaml:2:56: agents.a.idle.freeze_after must be shorter than idle.timeout, or the agent is asleep before it is frozen, not "60s"',
    ],
  ],
];

describe('every mistake is told with its place, all at once', () => {
  test.each(ROWS)('%s', (_, text, lines) => {
    expect(complaintsOf(text)).toEqual(lines);
  });
});

test('what is secret is in no complaint', () => {
  for (const [, text] of ROWS) expect(complaintsOf(text).join('\n')).not.toContain('sesame');
});

test('a file full of aliases of aliases is refused at once', () => {
  const levels = Array.from({ length: 20 }, (_, n) => `  - &l${n} [${n === 0 ? 'x' : `*l${n - 1}, *l${n - 1}`}]`);
  expect(complaintsOf(`trusted_proxies:\n${levels.join('\n')}\nagents: {}\n`)).toEqual([
    expect.stringMatching(/^o\.yaml:\d+:\d+: trusted_proxies\S+ is one value too many; at most 100000 are taken$/),
  ]);
});

test('deep nesting is refused and not followed', () => {
  expect(complaintsOf('['.repeat(100_000))).toHaveLength(1);
  expect(complaintsOf(`agents: ${'['.repeat(50)}${']'.repeat(50)}`)).toEqual([
    expect.stringMatching(/^o\.yaml:1:\d+: agents\S+ is nested deeper than 32 levels$/),
  ]);
});
