import { type Socket, connect } from 'node:net';

/**
 * GETs at a fixed rate, whether or not the earlier ones have been answered, from a process of its own. It does as little as can
 * be done for each, and says how late it was: where that is much, the figures are its own and not the daemon's.
 */
export interface LoadOrder {
  readonly port: number;
  readonly hostname: string;
  readonly perSecond: number;
  readonly seconds: number;
  readonly connections: number;
}

export interface LoadFigures {
  readonly sent: number;
  /** Milliseconds from the request to the whole answer, by status. */
  readonly took: Readonly<Record<string, readonly number[]>>;
  /** Connections that ended under a request. */
  readonly broken: number;
  /** Still without an answer at the end. */
  readonly open: number;
  /** Requests that had to wait for a free connection. */
  readonly starved: number;
  /** How late requests were written, in milliseconds, sorted. */
  readonly late: readonly number[];
}

interface Connection {
  readonly socket: Socket;
  sentAt: number;
  received: string;
}

async function generate({ port, hostname, perSecond, seconds, connections }: LoadOrder): Promise<LoadFigures> {
  const request = `GET / HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`;
  const took: Record<string, number[]> = {};
  const late: number[] = [];
  const idle: Connection[] = [];
  const busy = new Set<Connection>();
  let broken = 0;
  const open = (): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      const connection: Connection = { socket, sentAt: 0, received: '' };
      socket.setEncoding('latin1');
      socket.on('data', (text: string) => {
        connection.received += text;
        const status = wholeAnswer(connection.received);
        if (status === null) return;
        (took[status] ??= []).push(performance.now() - connection.sentAt);
        connection.received = '';
        busy.delete(connection);
        idle.push(connection);
      });
      socket.on('error', () => undefined);
      socket.on('close', () => {
        const at = idle.indexOf(connection);
        if (at !== -1) idle.splice(at, 1);
        if (busy.delete(connection)) broken += 1;
        if (!over) void open();
        resolve();
      });
      socket.once('connect', () => {
        idle.push(connection);
        resolve();
      });
    });
  let over = false;
  for (let opened = 0; opened < connections; opened += 1) await open();
  let sent = 0;
  let starved = 0;
  const began = performance.now();
  await new Promise<void>((resolve) => {
    const tick = (): void => {
      const now = performance.now();
      if (now - began >= seconds * 1000) {
        resolve();
        return;
      }
      const due = Math.min(Math.floor(((now - began) / 1000) * perSecond), Math.floor(seconds * perSecond));
      while (sent < due) {
        // In turn: one that is never used would be ended for saying nothing.
        const connection = idle.shift();
        if (connection === undefined) {
          starved += 1;
          break;
        }
        late.push(now - began - (sent / perSecond) * 1000);
        sent += 1;
        connection.sentAt = performance.now();
        busy.add(connection);
        connection.socket.write(request);
      }
      setTimeout(tick, 1);
    };
    tick();
  });
  await new Promise((resolve) => setTimeout(resolve, 2500));
  over = true;
  const unanswered = busy.size;
  for (const { socket } of [...idle, ...busy]) socket.destroy();
  return { sent, took, broken, open: unanswered, starved, late: late.sort((a, b) => a - b) };
}

/** Its status; null while some of it is missing. Answers are small and say their length. */
function wholeAnswer(received: string): string | null {
  const end = received.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const length = Number(/^content-length: (\d+)/im.exec(received.slice(0, end))?.[1] ?? 0);
  return received.length >= end + 4 + length ? received.slice(9, 12) : null;
}

if (import.meta.main) {
  const figures = await generate(JSON.parse(process.argv[2] ?? '') as LoadOrder);
  process.stdout.write(JSON.stringify(figures), () => process.exit(0));
}
