import { LOAD_CORE, type Running, cpuSeconds, family, onCore, output } from './measure.ts';
import { HOST } from './peers.ts';

/** Load by wrk, from its own core over 50 connections that are kept, and what it cost the proxy. */
const CONNECTIONS = 50;
/** Slow is seen in the percentiles; what has not come by then has failed. */
const TIMEOUT_SECONDS = 10;

export interface Figures {
  readonly requestsPerSecond: number;
  /** User and system time of the proxy. */
  readonly cpuMicrosPerRequest: number;
  /** How much of its core the proxy had work for. Where that is less than nearly all, the load was the limit, not the proxy. */
  readonly busyPercent: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
}

export interface Load {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A Lua file of wrk's. */
  readonly script?: string;
}

export async function load(server: Running, { path, headers, script }: Load, seconds: number): Promise<Figures> {
  const lines = Object.entries({ Host: HOST, ...headers }).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const scripted = script === undefined ? [] : ['-s', script];
  const wrk = [
    'wrk',
    '-t1',
    `-c${CONNECTIONS}`,
    `-d${seconds}s`,
    '--latency',
    '--timeout',
    `${TIMEOUT_SECONDS}s`,
    ...lines,
    ...scripted,
  ];
  const before = cpuSeconds(family(server.pid));
  const began = performance.now();
  const text = await output(onCore(LOAD_CORE, [...wrk, `http://127.0.0.1:${server.port}${path}`]));
  const took = (performance.now() - began) / 1000;
  const spent = cpuSeconds(family(server.pid)) - before;
  return figuresOf(text, spent, took);
}

/** Reads what wrk wrote of a run that took so long and cost the proxy so much, in seconds. */
export function figuresOf(text: string, spent: number, took: number): Figures {
  const requests = Number(/(\d+) requests in/.exec(text)?.[1] ?? Number.NaN);
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const broken = [...(/Socket errors: (.*)/.exec(text)?.[1] ?? '').matchAll(/\d+/g)].reduce(
    (sum, [count]) => sum + Number(count),
    0,
  );
  return {
    requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? Number.NaN),
    cpuMicrosPerRequest: (spent / requests) * 1e6,
    busyPercent: (spent / took) * 100,
    p50Ms: percentile(text, '50%'),
    p99Ms: percentile(text, '99%'),
    errors: refused + broken,
  };
}

function percentile(text: string, name: string): number {
  const match = new RegExp(`${name}\\s+([\\d.]+)(us|ms|s)`).exec(text);
  const scale = { us: 0.001, ms: 1, s: 1000 }[match?.[2] ?? ''] ?? Number.NaN;
  return Number(match?.[1] ?? Number.NaN) * scale;
}
