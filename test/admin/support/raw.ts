import { type Socket, connect } from 'node:net';

/** A client that sends bytes as it is told and says nothing by itself: what a well-behaved one would never send. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Everything that came, interim answers included. */
  readonly text: string;
}

/** Opens a connection; it gets an error listener at once. */
export async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  return socket;
}

/** Everything that comes until the other side ends or resets. */
export async function readAll(socket: Socket): Promise<RawAnswer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return parse(Buffer.concat(chunks).toString('latin1'));
}

/** Resolves with what has come so far as soon as it contains `wanted`. */
export async function readUntil(socket: Socket, wanted: string): Promise<string> {
  let text = '';
  return new Promise((resolve, reject) => {
    const hear = (chunk: Buffer): void => {
      const from = Math.max(0, text.length - wanted.length);
      text += chunk.toString('latin1');
      if (!text.includes(wanted, from)) return;
      socket.off('data', hear);
      resolve(text);
    };
    socket.on('data', hear);
    socket.once('close', () =>
      reject(new Error(`closed before ${JSON.stringify(wanted)} came: ${JSON.stringify(text.slice(-300))}`)),
    );
  });
}

/** One request on a connection of its own, read to the end. `line` is `GET /path`. */
export async function exchange(
  port: number,
  line: string,
  headers: Readonly<Record<string, string>>,
  body = '',
): Promise<RawAnswer> {
  const socket = await dial(port);
  const answer = readAll(socket);
  const lines = Object.entries({ host: '127.0.0.1', ...headers, connection: headers['connection'] ?? 'close' });
  socket.write(`${line} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`);
  return answer;
}

function parse(text: string): RawAnswer {
  const final = text.replace(/^(?:HTTP\/1\.1 1[0-9]{2} [^\r]*\r\n(?:[^\r]+\r\n)*\r\n)*/, '');
  const [head = '', ...rest] = final.split('\r\n\r\n');
  const [first = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.split(':', 1)[0]?.toLowerCase() ?? '', line.replace(/^[^:]*: */, '')]),
  );
  return { status: Number(first.split(' ')[1] ?? 0), headers, body: rest.join('\r\n\r\n'), text };
}
