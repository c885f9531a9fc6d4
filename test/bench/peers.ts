import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Program } from './measure.ts';
import { PACKAGES, versionOf } from './peers/install.ts';

/**
 * The proxies that are measured side by side, each with its smallest honest configuration: one core, keep-alive on both sides,
 * the headers that a reverse proxy has to add, no log. Reveille runs with everything on that is on by default.
 */
export interface Site {
  /** Empty, and this peer's own. */
  readonly directory: string;
  readonly port: number;
  /** For what else it has to listen on. */
  readonly sparePort: number;
  readonly origin: number;
  /** Large bodies go by: buffers and streaming as a well-tuned server has them for such a site. */
  readonly largeBodies: boolean;
}

export interface Peer {
  readonly name: string;
  readonly from: 'debian' | 'npm' | 'here';
  /** Without WebSockets it is left out of their rows. */
  readonly tunnels: boolean;
  /** As it tells it itself; null: it is not installed. */
  readonly version: () => string | null;
  readonly program: (site: Site) => Program;
}

/** The name of the host that every request asks for, which is all that Reveille routes by. */
export const HOST = 'bench.localhost';

function toldVersion(program: string, flag: string): string | null {
  const { status, stdout, stderr } = spawnSync(program, [flag], { encoding: 'utf8' });
  return status === 0 ? (/\d+\.\d+(?:\.\d+)?/.exec(stdout + stderr)?.[0] ?? '') : null;
}

const nginx: Peer = {
  name: 'nginx',
  from: 'debian',
  tunnels: true,
  version: () => toldVersion('nginx', '-v'),
  program: (site) => {
    // With its defaults, large answers go through files and uploads wait until they are whole.
    const large = site.largeBodies
      ? 'proxy_buffer_size 256k; proxy_buffers 4 256k; proxy_busy_buffers_size 256k; proxy_request_buffering off;'
      : '';
    return nginxProgram(
      site,
      `map $http_upgrade $hop { default ""; websocket upgrade; }
      upstream backend { server 127.0.0.1:${site.origin}; keepalive 64; }
      server {
        listen 127.0.0.1:${site.port};
        location / {
          proxy_pass http://backend; proxy_http_version 1.1; ${large}
          proxy_set_header Connection $hop; proxy_set_header Upgrade $http_upgrade; proxy_set_header Host $host;
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
          proxy_set_header X-Request-Id $request_id;
        }
      }`,
    );
  },
};

const haproxy: Peer = {
  name: 'haproxy',
  from: 'debian',
  tunnels: true,
  version: () => toldVersion('haproxy', '-v'),
  program: ({ directory, port, origin }) => {
    const file = join(directory, 'haproxy.cfg');
    const times = ['connect 2s', 'client 60s', 'server 60s', 'tunnel 1h'].map((each) => `  timeout ${each}\n`).join('');
    writeFileSync(
      file,
      `global\n  nbthread 1\n  maxconn 8192\ndefaults\n  mode http\n${times}  option forwardfor\n` +
        `frontend f\n  bind 127.0.0.1:${port}\n  default_backend b\nbackend b\n  http-reuse safe\n  server s 127.0.0.1:${origin}\n`,
    );
    return { command: ['haproxy', '-db', '-f', file], port };
  },
};

const caddy: Peer = {
  name: 'caddy',
  from: 'debian',
  tunnels: true,
  version: () => toldVersion('caddy', 'version'),
  program: ({ directory, port, origin }) => {
    const file = join(directory, 'Caddyfile');
    writeFileSync(
      file,
      `{\n  admin off\n  auto_https off\n}\nhttp://:${port} {\n  bind 127.0.0.1\n  reverse_proxy 127.0.0.1:${origin}\n}\n`,
    );
    // One core: two threads on one pinned core only get in each other's way.
    const env = { GOMAXPROCS: '1', HOME: directory, XDG_CONFIG_HOME: directory, XDG_DATA_HOME: directory };
    return { command: ['caddy', 'run', '--config', file, '--adapter', 'caddyfile'], env, port };
  },
};

/** `BENCH_ENTRY=dist/cli/main.js` measures what `npm run build` made. */
export const ENTRY = process.env['BENCH_ENTRY'] ?? 'src/cli/main.ts';

const reveille: Peer = {
  name: 'reveille',
  from: 'here',
  tunnels: true,
  version: () => 'this checkout',
  program: ({ directory, port, origin }) => {
    const file = join(directory, 'orchestrator.yaml');
    writeFileSync(
      file,
      `listen: 127.0.0.1:${port}\nadmin_listen: 127.0.0.1:0\nagents:\n` +
        `  origin: { hostname: ${HOST}, policy: unmanaged, backend: "http://127.0.0.1:${origin}", health: { path: null } }\n`,
    );
    return { command: [process.execPath, '--max-semi-space-size=16', ENTRY, 'serve', '--config', file], port };
  },
};

function ofPackage(name: string, kind: string, tunnels = true): Peer {
  const program = join(import.meta.dirname, 'peers', 'proxy.ts');
  return {
    name,
    from: 'npm',
    tunnels,
    version: () => versionOf(name) || process.versions.node,
    program: ({ port, origin }) => ({ command: [process.execPath, program, kind, `${port}`, `${origin}`], port }),
  };
}

const configurable: Peer = {
  name: 'configurable-http-proxy',
  from: 'npm',
  tunnels: true,
  version: () => versionOf('configurable-http-proxy'),
  program: ({ port, sparePort, origin }) => {
    const program = join(PACKAGES, 'node_modules', 'configurable-http-proxy', 'bin', 'configurable-http-proxy');
    const addresses = ['--ip', '127.0.0.1', '--port', `${port}`, '--api-ip', '127.0.0.1', '--api-port', `${sparePort}`];
    const target = ['--default-target', `http://127.0.0.1:${origin}`, '--log-level', 'error'];
    return { command: [process.execPath, program, ...addresses, ...target], env: { CONFIGPROXY_AUTH_TOKEN: 'bench' }, port };
  },
};

export const PEERS: readonly Peer[] = [
  nginx,
  reveille,
  haproxy,
  caddy,
  ofPackage('undici', 'undici', false),
  ofPackage('node:http + http.Agent', 'http-agent'),
  ofPackage('http-proxy', 'http-proxy'),
  ofPackage('http-proxy-3', 'http-proxy-3'),
  ofPackage('httpxy', 'httpxy'),
  ofPackage('@fastify/http-proxy', 'fastify'),
  configurable,
];

/** nginx in one process, in a directory of its own, without a log. */
export function nginxProgram({ directory, port }: Pick<Site, 'directory' | 'port'>, server: string): Program {
  mkdirSync(directory, { recursive: true });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${directory}/${kind};`)
    .join(' ');
  const file = join(directory, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off; master_process off; worker_processes 1; pid ${directory}/pid; error_log ${directory}/error.log;\n` +
      `events { worker_connections 8192; }\n` +
      `http { access_log off; keepalive_requests 100000000; keepalive_timeout 1h; default_type text/plain; ${temporary} ${server} }\n`,
  );
  return { command: ['nginx', '-c', file], port };
}
