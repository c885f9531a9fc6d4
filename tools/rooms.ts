/**
 * Who may import whom, as a table. Each row is an allow-list: what it does not name is refused. The rejected alternative was
 * a list of forbidden pairs, which lets through whatever nobody thought of.
 */
export interface Room {
  /** Rooms under src/ that it may import besides itself. */
  readonly rooms: readonly string[];
  /** Packages that it may import. */
  readonly packages: readonly string[];
  /** Modules of Node that it may import, without `node:`; `any` for all of them. */
  readonly node: readonly string[] | 'any';
  readonly because: string;
}

/** Rows are keyed by the name under src/, a folder or a file. */
export const ROOMS: Readonly<Record<string, Room>> = {
  std: { rooms: [], packages: [], node: [], because: 'It knows no domain, runs anywhere, and everything stands on it.' },
  contract: {
    rooms: ['std'],
    packages: ['typebox'],
    node: [],
    because: 'It is read by the daemon, the agents and the browser, so it may hold nothing that only one of them has.',
  },
  core: {
    rooms: ['std', 'contract'],
    packages: [],
    node: [],
    because:
      'Decisions are synchronous and total: no clock, no I/O, no log. Not even a port, which would let them ask the world.',
  },
  ports: {
    rooms: ['std', 'contract'],
    packages: [],
    node: [],
    because: 'A port says what we need in our own words; a type of somebody else in it would be their words.',
  },
  runtime: {
    rooms: ['std', 'contract', 'core', 'ports'],
    packages: [],
    node: ['crypto', 'net'],
    because: 'It reaches the world through ports only, so that tests can stand in for all of it.',
  },
  proxy: {
    rooms: ['std', 'contract', 'core', 'ports', 'runtime'],
    packages: [],
    node: 'any',
    because: 'The hot path: no router, no framework, and no engine behind its back.',
  },
  admin: {
    rooms: ['std', 'contract', 'core', 'ports', 'runtime'],
    packages: ['fastify', '@fastify/http-proxy', '@fastify/swagger', '@fastify/type-provider-typebox', 'typebox', 'undici'],
    node: 'any',
    because: 'The control plane speaks to the runtime, never to an engine or to the public port.',
  },
  config: {
    rooms: ['std', 'contract', 'ports'],
    packages: ['yaml', 'ajv', 'leven', 'typebox'],
    node: 'any',
    because: 'An adapter: it turns a file into a Config and is reached through main.',
  },
  process: {
    rooms: ['std', 'contract', 'ports'],
    packages: [],
    node: 'any',
    because: 'An adapter behind the Engine port, reached through main.',
  },
  swarm: {
    rooms: ['std', 'contract', 'ports'],
    packages: ['dockerode'],
    node: 'any',
    because: 'An adapter behind the Engine port, and the only room that knows Docker.',
  },
  sqlite: {
    rooms: ['std', 'contract', 'ports'],
    packages: [],
    node: 'any',
    because: 'An adapter behind the Store port, reached through main.',
  },
  system: {
    rooms: ['std', 'contract', 'ports'],
    packages: ['pino', 'prom-client'],
    node: 'any',
    because: 'Adapters to this machine, reached through main.',
  },
  'main.ts': {
    rooms: ['std', 'contract', 'core', 'ports', 'runtime', 'proxy', 'admin', 'config', 'process', 'swarm', 'sqlite', 'system'],
    packages: [],
    node: 'any',
    because: 'The composition root: it alone puts rooms together, and leaves what they are made of to them.',
  },
  cli: {
    rooms: ['std', 'contract', 'ports', 'config', 'system', 'main.ts'],
    packages: [],
    node: 'any',
    because: 'The command line speaks HTTP like any other client; only `serve`, `check` and `token` work on the spot.',
  },
};

/** What agents may import of ours, and of others. */
export const AGENTS = {
  rooms: ['std', 'contract'],
  packages: ['fastify', 'typebox', 'pino', 'ws', 'memcache-client'],
  because: 'Agents are the second reader of the contract; whoever writes one elsewhere has nothing else of ours.',
} as const;

/** What the pages of agents may import, which is bundled for browsers and has nothing of Node. */
export const PAGES = {
  packages: ['react', 'react-dom'],
  build: ['vite', '@vitejs/plugin-react'],
  because: 'A page is bundled for a browser: it reads the words of its world as types, and what it imports its readers download.',
} as const;
