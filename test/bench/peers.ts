import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The proxies that are measured side by side, each with its smallest honest configuration: one core, keep-alive on both sides,
 * the headers that a reverse proxy has to add, no log. A peer that is not installed is named in the table and left out.
 */
export interface Peer {
  readonly name: string;
  /** Null: it is not on this machine. */
  readonly command: readonly [string, ...string[]] | null;
  readonly env?: Readonly<Record<string, string>>;
  readonly port: number;
}

export const PORTS = {
  backend: 18_090,
  reveille: 18_080,
  reveilleAdmin: 18_180,
  nginx: 18_081,
  haproxy: 18_082,
  caddy: 18_083,
} as const;

const installed = (program: string): boolean => spawnSync('which', [program]).status === 0;

/** A tiny origin: 64 bytes from memory, nothing else. */
export function backend(directory: string): Peer {
  const file = nginxFile(
    directory,
    'backend',
    `server { listen 127.0.0.1:${PORTS.backend}; location / { return 200 "${'x'.repeat(64)}"; } }`,
  );
  return { name: 'backend', command: installed('nginx') ? ['nginx', '-c', file] : null, port: PORTS.backend };
}

export function nginx(directory: string): Peer {
  const server = `
    upstream backend { server 127.0.0.1:${PORTS.backend}; keepalive 64; }
    server {
      listen 127.0.0.1:${PORTS.nginx};
      location / {
        proxy_pass http://backend; proxy_http_version 1.1;
        proxy_set_header Connection ""; proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Request-Id $request_id;
      }
    }`;
  const file = nginxFile(directory, 'proxy', server);
  return { name: 'nginx', command: installed('nginx') ? ['nginx', '-c', file] : null, port: PORTS.nginx };
}

export function haproxy(directory: string): Peer {
  const file = join(directory, 'haproxy.cfg');
  writeFileSync(
    file,
    `global\n  nbthread 1\ndefaults\n  mode http\n  timeout connect 2s\n  timeout client 60s\n  timeout server 60s\n  option forwardfor\n` +
      `frontend f\n  bind 127.0.0.1:${PORTS.haproxy}\n  default_backend b\nbackend b\n  http-reuse safe\n  server s 127.0.0.1:${PORTS.backend}\n`,
  );
  return { name: 'haproxy', command: installed('haproxy') ? ['haproxy', '-db', '-f', file] : null, port: PORTS.haproxy };
}

export function caddy(directory: string): Peer {
  const file = join(directory, 'Caddyfile');
  writeFileSync(
    file,
    `{\n  admin off\n  auto_https off\n}\nhttp://:${PORTS.caddy} {\n  bind 127.0.0.1\n  reverse_proxy 127.0.0.1:${PORTS.backend}\n}\n`,
  );
  const command = ['caddy', 'run', '--config', file, '--adapter', 'caddyfile'] as const;
  // One core: two threads on one pinned core only get in each other's way.
  return {
    name: 'caddy',
    command: installed('caddy') ? command : null,
    env: { GOMAXPROCS: '1', HOME: directory, XDG_CONFIG_HOME: directory, XDG_DATA_HOME: directory },
    port: PORTS.caddy,
  };
}

export function reveille(directory: string): Peer {
  const file = join(directory, 'orchestrator.yaml');
  writeFileSync(
    file,
    `listen: 127.0.0.1:${PORTS.reveille}\nadmin_listen: 127.0.0.1:${PORTS.reveilleAdmin}\nagents:\n` +
      `  origin: { hostname: bench.localhost, policy: unmanaged, backend: "http://127.0.0.1:${PORTS.backend}" }\n`,
  );
  return { name: 'reveille', command: [process.execPath, 'src/cli/main.ts', 'serve', '--config', file], port: PORTS.reveille };
}

function nginxFile(directory: string, name: string, server: string): string {
  const home = join(directory, name);
  mkdirSync(home);
  const file = join(home, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${home}/${kind};`)
    .join(' ');
  writeFileSync(
    file,
    `daemon off; master_process off; worker_processes 1; pid ${home}/pid; error_log ${home}/error.log;\n` +
      `events { worker_connections 4096; }\nhttp { access_log off; keepalive_requests 100000000; ${temporary} ${server} }\n`,
  );
  return file;
}
