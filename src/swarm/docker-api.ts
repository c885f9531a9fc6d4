import { Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { inspect } from 'node:util';
import Docker from 'dockerode';
import type { Clock } from '../ports/clock.ts';
import { type Millis, after, millisOf } from '../std/time.ts';
import { ApiFailure, answerFailure, transportFailure } from './api-failure.ts';
import type { ApiVersion } from './api.ts';
import { CALLS, type CallName } from './calls.ts';
import { parseExactly } from './exact-json.ts';

/**
 * The Engine API, one call at a time: each has a limit in time and size and fails with nothing but an {@link ApiFailure}.
 * dockerode finds the engine (socket, DOCKER_HOST, TLS) and carries the request; answers are read here, because its own
 * reading would round the numbers of a spec that has to go back as it came.
 */
export interface CallOptions {
  /** For the `{}` of the path. */
  readonly id?: string;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
  readonly timeout?: Millis;
}

const CALL_TIMEOUT = millisOf(10_000);
/** The tasks of a thousand services fit in a tenth of it. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** Before this, an engine resolves images by itself at each update: a wake would change what runs. */
const OLDEST_MINOR = 30;
const ANY_STATUS = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [index + 100, true]));

interface Modem {
  version?: string | undefined;
  agent?: HttpAgent | undefined;
  readonly protocol: string;
  readonly socketPath?: unknown;
  readonly host?: string;
  readonly port?: string | number;
  dial(options: unknown, done: (error: Error | null, answer: IncomingMessage | null) => void): void;
}

export class DockerApi {
  /** Where the engine is, for people. */
  readonly place: string;
  private readonly modem: Modem;
  private readonly clock: Clock;

  /** `socket` null: DOCKER_HOST and its kin decide. Throws an Error when those make no sense. */
  constructor(options: { readonly socket: string | null; readonly clock: Clock }) {
    this.clock = options.clock;
    const docker = options.socket === null ? new Docker() : new Docker({ socketPath: options.socket });
    this.modem = docker.modem as unknown as Modem;
    const { protocol, socketPath, host, port } = this.modem;
    // A connection that was kept from before a restart of the engine would fail the first order after it.
    const agent = protocol === 'http' ? new HttpAgent() : protocol === 'https' ? new HttpsAgent() : undefined;
    // The modem describes each request for its debug log, whether anybody reads it or not; an agent with its sockets would take
    // it a quarter of a second.
    if (agent !== undefined) this.modem.agent = Object.assign(agent, { [inspect.custom]: () => 'Agent' });
    this.place =
      host !== undefined
        ? `${protocol}://${host}:${String(port)}`
        : typeof socketPath === 'string'
          ? socketPath
          : '/var/run/docker.sock';
  }

  /**
   * Speaks the newest version that the engine does, not one of ours: an older one would hide fields of a spec, which the next
   * update would then take away.
   */
  async negotiate(): Promise<void> {
    this.modem.version = undefined;
    const { ApiVersion: version, Version: engine } = await this.call<ApiVersion>('version');
    if (version === undefined || !(Number(version.split('.')[1]) >= OLDEST_MINOR)) {
      const detail = `Docker ${String(engine)} at ${this.place} speaks API ${String(version)}; 1.30 or newer is wanted`;
      throw new ApiFailure('refused', detail);
    }
    this.modem.version = `v${version}`;
  }

  /** The answer's JSON, or undefined when it has no body. */
  async call<T>(name: CallName, options: CallOptions = {}): Promise<T> {
    const limit = new AbortController();
    const alarm = this.clock.alarm(after(this.clock.now(), options.timeout ?? CALL_TIMEOUT), () => limit.abort());
    try {
      const answer = await this.dial(name, options, limit.signal);
      const text = await bodyOf(answer);
      const status = answer.statusCode ?? 0;
      if (status >= 400) throw answerFailure(CALLS[name].method, pathOf(name, options), status, text);
      return (text === '' ? undefined : parseExactly(text)) as T;
    } catch (error) {
      if (error instanceof ApiFailure) throw error;
      throw limit.signal.aborted
        ? new ApiFailure('away', `no answer from Docker at ${this.place} to ${CALLS[name].method} ${pathOf(name, options)}`)
        : transportFailure(error, this.place);
    } finally {
      alarm.cancel();
    }
  }

  /** An answer that does not end. Whoever takes it listens to its errors, and destroys it. */
  async stream(name: CallName, options: CallOptions): Promise<IncomingMessage> {
    const limit = new AbortController();
    const alarm = this.clock.alarm(after(this.clock.now(), CALL_TIMEOUT), () => limit.abort());
    try {
      const answer = await this.dial(name, options, limit.signal);
      const status = answer.statusCode ?? 0;
      if (status >= 400) throw answerFailure(CALLS[name].method, pathOf(name, options), status, await bodyOf(answer));
      return answer;
    } catch (error) {
      if (error instanceof ApiFailure) throw error;
      throw transportFailure(error, this.place);
    } finally {
      alarm.cancel();
    }
  }

  private dial(name: CallName, options: CallOptions, abortSignal: AbortSignal): Promise<IncomingMessage> {
    const { method } = CALLS[name];
    const { query = {}, body } = options;
    return new Promise((resolve, reject) => {
      this.modem.dial(
        {
          path: `${pathOf(name, options)}?`,
          method,
          // Without anything in it the path would lose its last letter; `_query` and `_body` are the modem's own words.
          options: { _query: query, _body: body ?? {} },
          statusCodes: ANY_STATUS,
          isStream: true,
          abortSignal,
        },
        (error, answer) => {
          if (answer === null) reject(error ?? new Error('no answer'));
          else resolve(answer);
        },
      );
    });
  }
}

const pathOf = (name: CallName, { id = '' }: CallOptions): string => CALLS[name].path.replace('{}', encodeURIComponent(id));

async function bodyOf(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > ANSWER_BYTES_MAX) throw new ApiFailure('refused', 'Docker answered with more than 64 MiB');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
