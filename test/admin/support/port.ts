import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Closing } from '../../../src/admin/closing.ts';
import type { KnownPaths } from '../../../src/admin/known-paths.ts';
import type { App } from '../../../src/admin/openapi.ts';
import { type AdminOptions, type AdminServer, adminApp, adminServer } from '../../../src/admin/server.ts';
import { PROBLEMS, type ProblemCode, problemType } from '../../../src/contract/problems.ts';
import { millisOf } from '../../../src/std/time.ts';
import { RecordingLog } from '../../support/recording-log.ts';
import { RecordingMetrics } from '../../support/recording-metrics.ts';
import { SimClock } from '../../support/sim-clock.ts';
import { ADMIN_TOKEN, FakeControl } from './fake-control.ts';

/** The internal port on fakes, and everything a test may want to look at. */
export interface Port {
  readonly control: FakeControl;
  readonly clock: SimClock;
  readonly log: RecordingLog;
  readonly metrics: RecordingMetrics;
  readonly options: AdminOptions;
}

/** A path that is free for a unix socket, and is gone after the test. */
export async function socketPlace(): Promise<{ readonly path: string; readonly remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'reveille-admin-'));
  return { path: join(folder, 's'), remove: () => rm(folder, { recursive: true, force: true }) };
}

function fakes(rest: Partial<AdminOptions>): Port {
  const control = new FakeControl();
  const clock = new SimClock();
  const log = new RecordingLog();
  const metrics = new RecordingMetrics();
  const agentAccess = { socketPath: '/nonexistent/reveille.sock' };
  const options = { control, clock, log, metrics, metricsAuth: 'none' as const, agentAccess, version: '0.0.0', ...rest };
  return { control, clock, log, metrics, options };
}

interface Question {
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Ask = (method: string, url: string, question?: Question) => Promise<Answered>;

export interface Injected extends Port {
  readonly app: App;
  readonly paths: KnownPaths;
  readonly closing: Closing;
  readonly ask: Ask;
}

/** Without a socket. `ask` is the operator's, unless it is given another token; an empty one is none at all. */
export async function injected(rest: Partial<AdminOptions> = {}): Promise<Injected> {
  const port = fakes(rest);
  const closing = new Closing();
  const { app, paths } = await adminApp(port.options, closing);
  const ask: Ask = async (method, url, { token = ADMIN_TOKEN, body, headers = {} } = {}) => {
    const answer = await app.inject({
      method,
      url,
      headers: { ...(token === '' ? {} : bearer(token)), ...headers },
      ...(body === undefined ? {} : { payload: body as object | string }),
    });
    if (answer.statusCode >= 400) expectListed(app, method, url, answer);
    return answer;
  };
  return { ...port, app, paths, closing, ask };
}

interface Document {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { responses: Readonly<Record<string, { description: string }>> }>>>
  >;
}

/** A call that says no in a way that its own OpenAPI document does not list fails the test that met it. */
function expectListed(app: App, method: string, url: string, answer: Answered): void {
  const path = url.split('?', 1)[0] ?? '';
  const paths = Object.entries((app.swagger() as unknown as Document).paths);
  const known = paths.find(([pattern]) => new RegExp(`^${pattern.replace(/\{[a-z]+\}/g, '[^/]+')}$`).test(path));
  const call = known?.[1][method.toLowerCase()];
  if (call === undefined) return;
  const code = String(JSON.parse(answer.body).type).replace(/^.*\//, '');
  expect(call.responses[answer.statusCode]?.description, `${method} ${url} lists ${code}`).toContain(`\`${code}\``);
}

/** On a real socket of 127.0.0.1. */
export async function listening(
  rest: Partial<AdminOptions> = {},
): Promise<Port & { readonly server: AdminServer; readonly base: string; readonly port: number; close(): Promise<void> }> {
  const fake = fakes(rest);
  const server = await adminServer(fake.options);
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const close = async (): Promise<void> => {
    const closed = server.close(millisOf(1));
    await fake.clock.advance(1);
    await closed;
  };
  return { ...fake, server, port, base: `http://127.0.0.1:${port}`, close };
}

export const bearer = (token: string): { readonly authorization: string } => ({ authorization: `Bearer ${token}` });
export const asAdmin = bearer(ADMIN_TOKEN);

interface Answered {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** Says everything that RFC 9457 and the contract want of one answer; returns the detail. */
export function expectProblem(answer: Answered, code: ProblemCode): string | undefined {
  const body = JSON.parse(answer.body);
  expect({ type: body.type, status: answer.statusCode }).toEqual({ type: problemType(code), status: PROBLEMS[code].status });
  expect(body).toMatchObject({ title: PROBLEMS[code].title, status: PROBLEMS[code].status });
  expect(answer.headers['content-type']).toBe('application/problem+json');
  expect(body.instance).toBe(answer.headers['x-request-id']);
  expect(answer.headers['www-authenticate']).toBe(code === 'unauthorized' ? 'Bearer' : undefined);
  return body.detail;
}
