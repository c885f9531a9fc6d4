import { get } from 'node:http';
import { type Socket, connect } from 'node:net';
import { formatDuration } from '../contract/units.ts';
import type { Clock } from '../ports/clock.ts';
import type { Probe, ProbeOrder, ProbeResult } from '../ports/probe.ts';
import { after } from '../std/time.ts';

/**
 * Health checks over the network. Each has a connection of its own: a check over a kept one would say that the agent was
 * well when it was accepted. Redirects are an answer like any other, judged by their status; following one would let an
 * agent have the daemon call addresses for it.
 */
export function openProbe(clock: Clock): Probe {
  return (order, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) {
        resolve(unhealthy('called off'));
        return;
      }
      const finish = (result: ProbeResult): void => {
        resolve(result);
        alarm.cancel();
        signal.removeEventListener('abort', abort);
        // Whatever comes after the head is not read, and neither side is left with an open connection.
        attempt.end();
      };
      const abort = (): void => {
        finish(unhealthy('called off'));
      };
      const alarm = clock.alarm(after(clock.now(), order.timeout), () => {
        finish(unhealthy(`no ${attempt.connected() ? 'answer' : 'connection'} within ${formatDuration(order.timeout)}`));
      });
      signal.addEventListener('abort', abort);
      const attempt = order.path === null ? dial(order, finish) : ask(order, order.path, finish);
    });
}

/** What a check under way can be asked. `finish` is called later, never while the attempt is being made. */
interface Attempt {
  connected(): boolean;
  end(): void;
}

const unhealthy = (detail: string): ProbeResult => ({ healthy: false, detail });

function dial({ address: { host, port } }: ProbeOrder, finish: (result: ProbeResult) => void): Attempt {
  const socket: Socket = connect({ host, port });
  socket.on('connect', () => {
    finish({ healthy: true });
  });
  socket.on('error', (error) => {
    finish(unhealthy(inWords(error)));
  });
  return { connected: () => !socket.connecting, end: () => socket.destroy() };
}

function ask(order: ProbeOrder, path: string, finish: (result: ProbeResult) => void): Attempt {
  const { host, port } = order.address;
  let request;
  try {
    request = get({ host, port, path, agent: false, headers: { host: order.host, 'user-agent': 'reveille', accept: '*/*' } });
  } catch (error) {
    // A path or host with characters that no request may hold (spaces, control characters).
    queueMicrotask(() => {
      finish(unhealthy(error instanceof Error ? error.message : 'the request cannot be made'));
    });
    return { connected: () => false, end: () => undefined };
  }
  let connected = false;
  request.on('socket', (socket) => {
    socket.on('connect', () => {
      connected = true;
    });
  });
  request.on('response', ({ statusCode = 0 }) => {
    const well = order.expect.some(([low, high]) => low <= statusCode && statusCode <= high);
    finish(well ? { healthy: true } : unhealthy(`status ${statusCode}`));
  });
  request.on('error', (error) => {
    finish(unhealthy(inWords(error)));
  });
  return { connected: () => connected, end: () => request.destroy() };
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was closed before an answer',
  EPIPE: 'the connection was closed before an answer',
  ETIMEDOUT: 'no connection',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name could not be looked up',
  EMFILE: 'the daemon has too many files open',
};

function inWords(error: NodeJS.ErrnoException): string {
  const { code = '', message } = error;
  if (code === 'HPE_HEADER_OVERFLOW') return 'the head of the answer is too long';
  if (code.startsWith('HPE_')) return 'the answer is not HTTP';
  return WORDS[code] ?? message;
}
