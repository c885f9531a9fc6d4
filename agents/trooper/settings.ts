import { readFileSync } from 'node:fs';
import { EnvironmentError, type Variables, given } from '../kit/environment.ts';
import type { BusPlace } from '../world/bus.ts';
import { readBusPlace } from '../world/bus-place.ts';

/** What a trooper is told beyond what every agent is (agents/kit/environment.ts), under the names of the original. */
export interface Settings {
  /** The name of this service of the world, SERVICE_NAME; else the agent's. */
  readonly service: string;
  /** All services of the world, SWARM_SERVICES, this one first. */
  readonly services: readonly string[];
  readonly node: string;
  readonly bus: BusPlace;
  /** Null: PicoClaw is not to be used. Otherwise the program, looked for on the PATH. */
  readonly picoclaw: string | null;
  /** Null: there is no Ollama. */
  readonly ollama: { readonly url: string; readonly model: string } | null;
  /** The badge in the header of the page, of letters, digits, space, underscore and hyphen. */
  readonly label: string;
  /** Null: no revolt is possible. */
  readonly peer: { readonly url: string; readonly secret: string } | null;
  readonly snapshotDirectory: string;
}

const SERVICE = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/;
const SECRET_BYTES_MIN = 16;

/** Throws an {@link EnvironmentError} that names the first wrong variable; a secret is never quoted. */
export function readSettings(variables: Variables, agent: string | null): Settings {
  const service = matching(variables, 'SERVICE_NAME', SERVICE) ?? agent ?? 'world';
  const listed = (given(variables, 'SWARM_SERVICES') ?? '').split(',').map((name) => name.trim());
  const others = listed.filter((name) => name !== '' && name !== service);
  for (const name of others) if (!SERVICE.test(name)) throw wrong('SWARM_SERVICES', name, 'names with commas between them');
  return {
    service,
    services: [service, ...new Set(others)],
    node: given(variables, 'SWARM_NODE') ?? '',
    bus: readBusPlace(variables),
    picoclaw: given(variables, 'PICOCLAW_ENABLED') === '0' ? null : (given(variables, 'PICOCLAW_BIN') ?? 'picoclaw'),
    ollama: ollamaOf(variables),
    label: (given(variables, 'DASHBOARD_BOT_LABEL') ?? '').replace(/[^A-Za-z0-9 _()-]/g, '').slice(0, 60),
    peer: peerOf(variables),
    snapshotDirectory: given(variables, 'REVOLT_SNAPSHOT_DIR') ?? '/tmp/clawbucket-revolt-snapshots',
  };
}

function ollamaOf(variables: Variables): Settings['ollama'] {
  const url = httpUrl(variables, 'OLLAMA_URL');
  return url === null ? null : { url: url.href, model: given(variables, 'OLLAMA_MODEL') ?? 'smollm2:135m' };
}

function peerOf(variables: Variables): Settings['peer'] {
  const url = httpUrl(variables, 'PEER_DASHBOARD_URL');
  const secret = secretOf(variables);
  if (url === null) return null;
  if (secret === null) throw new EnvironmentError('PEER_DASHBOARD_URL needs REVOLT_SECRET_FILE or REVOLT_SECRET beside it');
  return { url: url.href.replace(/\/+$/, ''), secret };
}

function secretOf(variables: Variables): string | null {
  const file = given(variables, 'REVOLT_SECRET_FILE');
  let secret = given(variables, 'REVOLT_SECRET');
  if (file !== null) {
    try {
      secret = readFileSync(file, 'utf8').trim();
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
      throw new EnvironmentError(`REVOLT_SECRET_FILE ${JSON.stringify(file)} cannot be read: ${code}`);
    }
  }
  if (secret !== null && Buffer.byteLength(secret) < SECRET_BYTES_MIN) {
    throw new EnvironmentError(`The secret of the revolt is shorter than ${SECRET_BYTES_MIN} bytes`);
  }
  return secret;
}

function matching(variables: Variables, name: string, pattern: RegExp): string | null {
  const text = given(variables, name);
  if (text !== null && !pattern.test(text)) throw wrong(name, text, 'a plain name');
  return text;
}

function httpUrl(variables: Variables, name: string): URL | null {
  const text = given(variables, name);
  if (text === null) return null;
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new EnvironmentError(`${name} must be an http URL without user and password`);
  }
  return url;
}

const wrong = (name: string, text: string, wanted: string): EnvironmentError =>
  new EnvironmentError(`${name} holds ${JSON.stringify(text)}; it must be ${wanted}`);
