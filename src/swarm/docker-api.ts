import { Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { inspect } from 'node:util';
import Docker from 'dockerode';
import type { Clock } from '../ports/clock.ts';
import { type Millis, after, millisOf } from '../std/time.ts';
import { bodyOf, readAnswer } from './answer.ts';
import { ApiFailure, answerFailure, transportFailure } from './api-failure.ts';
import type { ApiVersion } from './api.ts';
import { CALLS, type CallName } from './calls.ts';

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
/** Before this, an engine resolves images by itself at each update: a wake would change what runs. */
const OLDEST_MINOR = 30;
const ANY_STATUS = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [index + 100, true]));

interface Modem {
  version?: string | undefined;
  agent?: HttpAgent | undefined;
  readonly protocol: string;
  readonly socketPath?: unknown;
  readonly host?: string;
  port?: string | number;
  dial(options: unknown, done: (error: Error | null, answer?: IncomingMessage | null) => void): void;
  buildRequest(options: object, ...rest: readonly unknown[]): void;
}

export class DockerApi {
  /** Where the engine is, for people. */
  readonly place: string;
  private readonly modem: Modem;
  private readonly clock: Clock;

  /** `socket` null: DOCKER_HOST and its kin decide. Throws an Error when those make no sense. */
  constructor(options: { readonly socket: string | null; readonly clock: Clock }) {
    this.clock = options.clock;
    this.modem = new Docker(options.socket === null ? {} : atSocket(options.socket)).modem as unknown as Modem;
    const { modem } = this;
    // A path without `unix://` is taken for a host without a name, and then for whatever listens on this machine.
    if (modem.host === '') throw new Error('DOCKER_HOST should be something like unix:///run/docker.sock or tcp://host:2375');
    if (modem.host !== undefined && modem.port === '') modem.port = modem.protocol === 'https' ? 2376 : 2375;
    // A connection that was kept from before a restart of the engine would fail the first order after it.
    const { protocol } = modem;
    const agent = protocol === 'http' ? new HttpAgent() : protocol === 'https' ? new HttpsAgent() : undefined;
    // The modem describes each request for its debug log, whether anybody reads it or not; an agent with its sockets would take
    // it a quarter of a second.
    if (agent !== undefined) modem.agent = Object.assign(agent, { [inspect.custom]: () => 'Agent' });
    // The engine redirects nobody. The modem would follow whoever does, without a limit and without listening to errors.
    const build = modem.buildRequest.bind(modem);
    modem.buildRequest = (request, ...rest) => build({ ...request, maxRedirects: 0 }, ...rest);
    this.place =
      modem.host !== undefined
        ? `${modem.protocol}://${modem.host}:${String(modem.port)}`
        : typeof modem.socketPath === 'string'
          ? modem.socketPath
          : '/var/run/docker.sock';
  }

  /**
   * Speaks the newest version that the engine does, not one of ours: an older one would hide fields of a spec, which the next
   * update would then take away.
   */
  async negotiate(): Promise<void> {
    this.modem.version = undefined;
    const { ApiVersion: version, Version: engine } = await this.asDocker();
    if (!(Number(version.split('.')[1]) >= OLDEST_MINOR)) {
      const detail = `Docker ${String(engine)} at ${this.place} speaks API ${version}; 1.30 or newer is wanted`;
      throw new ApiFailure('refused', detail);
    }
    this.modem.version = `v${version}`;
  }

  /** The answer's JSON, or undefined when it has no body. */
  async call<T>(name: CallName, options: CallOptions = {}): Promise<T> {
    return this.within(options.timeout ?? CALL_TIMEOUT, name, options, async (answer) => {
      const text = await bodyOf(answer);
      if (isRefusal(answer)) throw answerFailure(CALLS[name].method, pathOf(name, options), answer.statusCode ?? 0, text);
      return readAnswer(name, text) as T;
    });
  }

  /** An answer that does not end. Whoever takes it listens to its errors, and destroys it. */
  async stream(name: CallName, options: CallOptions): Promise<IncomingMessage> {
    return this.within(CALL_TIMEOUT, name, options, async (answer) => {
      if (!isRefusal(answer)) return answer;
      throw answerFailure(CALLS[name].method, pathOf(name, options), answer.statusCode ?? 0, await bodyOf(answer));
    });
  }

  private async asDocker(): Promise<ApiVersion & { readonly ApiVersion: string }> {
    const isNot = `what answers at ${this.place} is not Docker: mend swarm.socket or DOCKER_HOST`;
    try {
      const said = await this.call<ApiVersion>('version');
      if (typeof said.ApiVersion === 'string') return { ...said, ApiVersion: said.ApiVersion };
    } catch (error) {
      if (!(error instanceof ApiFailure) || (error.kind !== 'missing' && error.kind !== 'failed')) throw error;
      throw new ApiFailure('refused', `${isNot} (${error.message})`);
    }
    throw new ApiFailure('refused', isNot);
  }

  /** One call and what is made of its answer, with one limit of time for both. */
  private async within<T>(
    limit: Millis,
    name: CallName,
    options: CallOptions,
    read: (answer: IncomingMessage) => Promise<T>,
  ): Promise<T> {
    const expiry = new AbortController();
    const alarm = this.clock.alarm(after(this.clock.now(), limit), () => expiry.abort());
    try {
      return await read(await this.dial(name, options, expiry.signal));
    } catch (error) {
      if (error instanceof ApiFailure) throw error;
      throw expiry.signal.aborted
        ? new ApiFailure('away', `no answer from Docker at ${this.place} to ${CALLS[name].method} ${pathOf(name, options)}`)
        : transportFailure(error, this.place);
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
          if (answer === null || answer === undefined) reject(error ?? new Error('no answer'));
          else resolve(answer);
        },
      );
    });
  }
}

/** The modem would still go to DOCKER_HOST, whose parts have to be taken away one by one. */
const atSocket = (socketPath: string): Docker.DockerOptions =>
  ({ socketPath, protocol: 'http', host: undefined, port: undefined, ca: undefined, cert: undefined, key: undefined }) as object;

const isRefusal = ({ statusCode = 0 }: IncomingMessage): boolean => statusCode >= 400;
const pathOf = (name: CallName, { id = '' }: CallOptions): string => CALLS[name].path.replace('{}', encodeURIComponent(id));
