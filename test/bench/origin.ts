import { createHash } from 'node:crypto';
import { type Socket, createServer } from 'node:net';

/**
 * The origin for what nginx alone cannot be: `origin.ts PORT`. It answers a body only once all of it has come, sends a
 * MiB in chunks, and echoes WebSocket frames. Straight on the socket, so that it costs little of the core that it shares with
 * the load; what it is sent comes from a proxy that is measured, one request at a time, and is not mistrusted.
 */
const [port = ''] = process.argv.slice(2);
const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** Two bytes and the mask: what is echoed is shorter than 126 bytes. */
const MASKED_HEAD_BYTES = 6;
const MASK_AT = 2;

const CHUNK = Buffer.concat([Buffer.from('4000\r\n'), Buffer.alloc(0x4000, 'x'), Buffer.from('\r\n')]);
const CHUNKED = Buffer.concat([
  Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n'),
  ...Array.from({ length: 64 }, () => CHUNK),
  Buffer.from('0\r\n\r\n'),
]);
const STORED = Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nstored\n');
const TERMINATOR = Buffer.from('0\r\n\r\n');

const server = createServer({ noDelay: true }, (socket) => {
  let head = '';
  /** Of the body that is being read; infinite while it is chunked. */
  let missing = 0;
  let tunnel: Buffer | null = null;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    if (tunnel !== null) {
      tunnel = echo(socket, tunnel.length === 0 ? chunk : Buffer.concat([tunnel, chunk]));
      return;
    }
    let body = chunk;
    if (missing === 0) {
      const end = chunk.indexOf('\r\n\r\n');
      head += chunk.toString('latin1', 0, end === -1 ? chunk.length : end + 4);
      if (end === -1) return;
      body = chunk.subarray(end + 4);
      const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1];
      if (key !== undefined) {
        tunnel = Buffer.alloc(0);
        socket.write(switching(key));
        return;
      }
      if (head.startsWith('GET ')) {
        head = '';
        socket.write(CHUNKED);
        return;
      }
      missing = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? Infinity);
      head = '';
    }
    missing -= body.length;
    if (missing <= 0 || (missing === Infinity && body.subarray(-TERMINATOR.length).equals(TERMINATOR))) {
      missing = 0;
      socket.write(STORED);
    }
  });
});
server.listen(Number(port), '127.0.0.1');

function switching(key: string): string {
  const accept = createHash('sha1')
    .update(key + WEBSOCKET_GUID)
    .digest('base64');
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

/** Answers every whole frame and returns what is left over. */
function echo(socket: Socket, bytes: Buffer): Buffer {
  let at = 0;
  for (;;) {
    const payload = (bytes[at + 1] ?? 0) & 0x7f;
    const end = at + MASKED_HEAD_BYTES + payload;
    if (at + 1 >= bytes.length || end > bytes.length) return bytes.subarray(at);
    const answer = Buffer.allocUnsafe(2 + payload);
    answer[0] = bytes[at] ?? 0;
    answer[1] = payload;
    for (let index = 0; index < payload; index += 1)
      answer[2 + index] = (bytes[at + MASKED_HEAD_BYTES + index] ?? 0) ^ (bytes[at + MASK_AT + (index & 3)] ?? 0);
    socket.write(answer);
    at = end;
  }
}
