import { Bench } from './bench.ts';
import type { RawConnection } from './raw.ts';

/** Upgrades to WebSocket as bytes, and both ends of a tunnel in hand. */
export const UPGRADE =
  'GET /ws HTTP/1.1\r\nHost: kai.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a2V5\r\nSec-WebSocket-Version: 13\r\n\r\n';
export const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

/** Answers the first bytes of each connection with this. */
export const once = (answer: string) => (connection: RawConnection) =>
  void connection.socket.once('data', () => connection.send(answer));

export interface Ends {
  readonly bench: Bench;
  readonly client: RawConnection;
  readonly agent: RawConnection;
}

/** A tunnel through which nothing has passed yet. */
export async function openTunnel(): Promise<Ends> {
  const bench = await Bench.open({ script: once(SWITCHING) });
  const client = await bench.client(true);
  await client.send(UPGRADE).until('\r\n\r\n');
  const agent = await bench.backend.connection(0);
  for (const end of [client, agent]) {
    end.received = '';
    end.bytes = 0;
  }
  return { bench, client, agent };
}

export interface Frame {
  /** FIN, RSV1-3 and opcode. */
  readonly first: number;
  readonly masked: boolean;
  readonly payload: Buffer;
  /** Bytes that the length is written in; more than it needs is allowed to nobody, and is no business of a tunnel. */
  readonly lengthBytes: 1 | 2 | 8;
}

/** RFC 6455 section 5.2. */
export function frameBytes({ first, masked, payload, lengthBytes }: Frame): Buffer {
  const mask = masked ? 0x80 : 0;
  const key = masked ? Buffer.from([0x37, 0xfa, 0x21, 0x3d]) : Buffer.alloc(0);
  const head = Buffer.alloc(lengthBytes === 1 ? 2 : 2 + lengthBytes);
  head[0] = first;
  if (lengthBytes === 1) head[1] = mask | payload.length;
  else if (lengthBytes === 2) head.writeUInt16BE(payload.length, 2);
  else head.writeBigUInt64BE(BigInt(payload.length), 2);
  if (lengthBytes === 2) head[1] = mask | 126;
  if (lengthBytes === 8) head[1] = mask | 127;
  return Buffer.concat([head, key, payload]);
}
