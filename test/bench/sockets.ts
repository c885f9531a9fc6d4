import { randomBytes } from 'node:crypto';
import { type Socket, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, family } from './measure.ts';
import { HOST } from './peers.ts';

/**
 * WebSockets on bare sockets: `sockets.ts PORT COUNT` opens so many, says `open`, and holds them until its input ends;
 * `sockets.ts PORT COUNT SECONDS PID` lets each of them send 64 bytes and wait for the echo, over and over, and tells as JSON how many came
 * back, and what the proxy, process PID, spent on them.
 */
export interface Echoes {
  readonly messages: number;
  readonly seconds: number;
  readonly cpuMicrosPerMessage: number;
}

const OPENED_AT_A_TIME = 50;
const PAYLOAD_BYTES = 64;
const WARM_UP_MS = 1000;
const ECHO_BYTES = 2 + PAYLOAD_BYTES;
/** A binary frame, masked with zeros. */
const FRAME = Buffer.concat([Buffer.from([0x82, 0x80 | PAYLOAD_BYTES, 0, 0, 0, 0]), Buffer.alloc(PAYLOAD_BYTES, 'x')]);
const ECHO = Buffer.concat([Buffer.from([0x82, PAYLOAD_BYTES]), Buffer.alloc(PAYLOAD_BYTES, 'x')]);

let over = false;

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const key = randomBytes(16).toString('base64');
    socket.write(
      `GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    );
    let head = '';
    const listen = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', listen);
      if (head.startsWith('HTTP/1.1 101 ')) resolve(socket);
      else reject(new Error(`answered ${head.split('\r\n')[0] ?? ''} instead of 101`));
    };
    socket.on('data', listen);
    socket.on('error', reject);
    socket.on('close', () => {
      reject(new Error('closed before it was open'));
      if (over) return;
      console.error('a WebSocket was closed');
      process.exit(1);
    });
  });
}

async function openAll(port: number, count: number): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const some = Math.min(OPENED_AT_A_TIME, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: some }, () => open(port)))));
  }
  return sockets;
}

async function echo(sockets: readonly Socket[], seconds: number, pid: number): Promise<Echoes> {
  let messages = 0;
  for (const socket of sockets) {
    let bytes: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      if (bytes.length < ECHO_BYTES) return;
      if (!bytes.equals(ECHO)) throw new Error('what came back is not what was sent');
      bytes = Buffer.alloc(0);
      messages += 1;
      socket.write(FRAME);
    });
    socket.write(FRAME);
  }
  await sleep(WARM_UP_MS);
  const before = { messages, cpu: cpuSeconds(family(pid)), at: performance.now() };
  await sleep(seconds * 1000);
  const counted = messages - before.messages;
  return {
    messages: counted,
    seconds: (performance.now() - before.at) / 1000,
    cpuMicrosPerMessage: ((cpuSeconds(family(pid)) - before.cpu) / counted) * 1e6,
  };
}

const [port = 0, count = 0, seconds = 0, pid = 0] = process.argv.slice(2).map(Number);
const sockets = await openAll(port, count);
if (seconds > 0) {
  console.log(JSON.stringify(await echo(sockets, seconds, pid)));
  over = true;
  process.exit(0);
}
console.log('open');
process.stdin.resume();
process.stdin.once('end', () => process.exit(0));
