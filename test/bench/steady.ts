import { type Socket, connect } from 'node:net';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { HOST } from './peers.ts';

/**
 * Load at a fixed rate: `steady.ts PORT RATE SECONDS`. When a request is due is settled before the first is sent, and a
 * request that is late, because nothing answers or because this program was not given its core, is counted from when it was due: who
 * waits for answers before he asks again measures only the good moments (coordinated omission). Times beside a direct
 * connection, by the same program, have its own lateness in both.
 *
 * The timers of the event loop know whole milliseconds only, so a thread that sleeps on a word of memory beats the time.
 */
export interface Steady {
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How late this program itself was with its requests. */
  readonly lagP50Ms: number;
  readonly lagP99Ms: number;
}

const CONNECTIONS = 32;
const CONNECTIONS_MAX = 512;
const WARM_UP_SECONDS = 1;
const NANOS_PER_MS = 1e6;
const REQUEST = `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;

const now = (): number => Number(process.hrtime.bigint()) / NANOS_PER_MS;

interface Beat {
  readonly firstAt: number;
  readonly everyMs: number;
  readonly count: number;
}

function beat({ firstAt, everyMs, count }: Beat): void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let index = 0; index < count; index += 1) {
    const left = firstAt + index * everyMs - now();
    if (left > 0) Atomics.wait(cell, 0, 0, left);
    parentPort?.postMessage(null);
  }
}

class Client {
  readonly latencies: number[] = [];
  readonly lags: number[] = [];
  private readonly idle: Socket[] = [];
  private readonly due: number[] = [];
  private open = 0;
  private readonly port: number;
  private readonly answered: () => void;

  constructor(port: number, answered: () => void) {
    this.port = port;
    this.answered = answered;
    for (let index = 0; index < CONNECTIONS; index += 1) this.connect();
  }

  ask(due: number): void {
    this.due.push(due);
    const socket = this.idle.pop();
    if (socket !== undefined) this.send(socket);
    else if (this.open < CONNECTIONS_MAX) this.connect();
  }

  private connect(): void {
    this.open += 1;
    const socket = connect({ host: '127.0.0.1', port: this.port, noDelay: true });
    socket.once('connect', () => this.send(socket));
    socket.on('error', (error) => {
      throw error;
    });
    socket.on('close', () => {
      throw new Error('a connection was closed');
    });
  }

  /** The one that has waited longest; where none has, the connection rests. */
  private send(socket: Socket): void {
    const due = this.due.shift();
    if (due === undefined) {
      this.idle.push(socket);
      return;
    }
    this.lags.push(now() - due);
    let text = '';
    const listen = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end === -1 || text.length < end + 4 + Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? Number.NaN)) return;
      if (!text.startsWith('HTTP/1.1 200 ')) throw new Error(`answered ${text.split('\r\n')[0] ?? ''}`);
      this.latencies.push(now() - due);
      socket.off('data', listen);
      this.send(socket);
      this.answered();
    };
    socket.on('data', listen);
    socket.write(REQUEST);
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function main(): void {
  const [port = 0, rate = 0, seconds = 0] = process.argv.slice(2).map(Number);
  const everyMs = 1000 / rate;
  const warmUp = WARM_UP_SECONDS * rate;
  const count = warmUp + seconds * rate;
  const firstAt = now() + 200;
  let asked = 0;
  const client = new Client(port, () => {
    if (client.latencies.length < count) return;
    const [latencies, lags] = [client.latencies.slice(warmUp), client.lags.slice(warmUp)];
    const result: Steady = {
      requests: latencies.length,
      p50Ms: quantile(latencies, 0.5),
      p99Ms: quantile(latencies, 0.99),
      lagP50Ms: quantile(lags, 0.5),
      lagP99Ms: quantile(lags, 0.99),
    };
    console.log(JSON.stringify(result));
    process.exit(0);
  });
  const timer = new Worker(import.meta.filename, { workerData: { firstAt, everyMs, count } satisfies Beat });
  timer.on('message', () => {
    for (; asked < count && firstAt + asked * everyMs <= now(); asked += 1) client.ask(firstAt + asked * everyMs);
  });
}

if (isMainThread) main();
else beat(workerData as Beat);
