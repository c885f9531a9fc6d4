import { createHash } from 'node:crypto';
import { type Socket, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { BenchDaemon, HERE } from '../bench/daemon.ts';
import { drained } from './drained.ts';
import { patternPiece } from './pattern.ts';
import { ResidentWatch } from './resident.ts';
import { StrictClient } from './strict-client.ts';

/** Bodies that do not fit into memory: what the daemon holds of them may not grow with them, and no byte may be lost. */
const READERS = Number(process.env['WITHSTAND_READERS'] ?? 100);
const READ_FOR_MS = 20_000;
const READ_BYTES = 16 * 1024;
const READ_EVERY_MS = 100;
const ANSWER_BYTES = 1024 ** 3;
const READERS_GROWTH_MAX_MB = 64;
const UPLOAD_GIGABYTES = Number(process.env['WITHSTAND_UPLOAD_GB'] ?? 5);
const HELD_UPLOAD_GIGABYTES = 0.5;
const CHUNK_BYTES = 256 * 1024;

export async function withstandSlowReaders(): Promise<readonly string[]> {
  const piece = Buffer.alloc(64 * 1024, 'x');
  let sent = 0;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${ANSWER_BYTES}\r\n\r\n`);
      let left = ANSWER_BYTES;
      const more = (): void => {
        while (left > 0 && !socket.destroyed) {
          left -= piece.length;
          sent += piece.length;
          if (!socket.write(piece)) return;
        }
      };
      socket.on('drain', more);
      more();
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const agents = { big: { hostname: 'big.test', policy: 'unmanaged', backend: `http://127.0.0.1:${port}` } };
  const daemon = await BenchDaemon.start({ agents }, HERE);
  const readers: Socket[] = [];
  try {
    await pause(1000);
    const watch = new ResidentWatch(daemon.pid);
    let read = 0;
    for (let count = 0; count < READERS; count += 1) {
      const { socket } = await StrictClient.open(daemon.address);
      socket.removeAllListeners('data').pause();
      // The rest waits in the kernel's buffers, and once those are full with the agent.
      socket.on('readable', () => undefined);
      socket.write('GET / HTTP/1.1\r\nHost: big.test\r\n\r\n');
      readers.push(socket);
    }
    const until = performance.now() + READ_FOR_MS;
    while (performance.now() < until) {
      for (const socket of readers) {
        const some = (socket.read(READ_BYTES) ?? socket.read()) as Buffer | null;
        read += some?.length ?? 0;
      }
      await pause(READ_EVERY_MS);
    }
    const left = readers.filter(({ destroyed }) => !destroyed).length;
    watch.stop();
    const megabytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(0);
    console.log(
      `${READERS} readers of ${megabytes(ANSWER_BYTES)} MB each, for ${READ_FOR_MS / 1000} s at ${(READ_BYTES / READ_EVERY_MS).toFixed(0)} KB/s each`,
    );
    console.log(`  ${watch.told}`);
    console.log(`  read ${megabytes(read)} MB of ${megabytes(sent)} MB that the agent could send; ${left} readers still there`);
    const complaints: string[] = [];
    if (watch.growthMegabytes >= READERS_GROWTH_MAX_MB) complaints.push(`grew by ${watch.growthMegabytes.toFixed(0)} MB`);
    if (left < READERS) complaints.push(`${READERS - left} readers were cut`);
    return complaints;
  } finally {
    for (const socket of readers) socket.destroy();
    await daemon.end();
    server.close();
  }
}

export async function withstandUploads(): Promise<readonly string[]> {
  const counter = resolve(import.meta.dirname, '../blackbox/agents/counter.ts');
  const agents = { sink: { hostname: 'sink.test', on_sleeping: 'hold', process: { command: [process.execPath, counter] } } };
  const daemon = await BenchDaemon.start({ agents }, HERE);
  try {
    await pause(1000);
    return [
      ...(await upload(daemon, 'at an agent that has to be woken first', HELD_UPLOAD_GIGABYTES)),
      ...(await upload(daemon, 'at an agent that is awake', UPLOAD_GIGABYTES)),
    ];
  } finally {
    await daemon.end();
  }
}

async function upload(daemon: BenchDaemon, what: string, gigabytes: number): Promise<readonly string[]> {
  const watch = new ResidentWatch(daemon.pid);
  const began = performance.now();
  const bytes = Math.round(gigabytes * 1024 ** 3);
  const client = await StrictClient.open(daemon.address);
  const answered = client.answer({ patienceMs: null });
  client.send('POST / HTTP/1.1\r\nHost: sink.test\r\nTransfer-Encoding: chunked\r\n\r\n');
  const hash = createHash('sha256');
  for (let at = 0; at < bytes && !client.closed;) {
    const piece = patternPiece(5, at, Math.min(CHUNK_BYTES, bytes - at));
    at += piece.length;
    hash.update(piece);
    client.send(`${piece.length.toString(16)}\r\n`);
    client.send(piece);
    if (!client.send('\r\n')) await drained(client.socket);
  }
  client.send('0\r\n\r\n');
  const { head, body, end, why } = await answered;
  client.destroy();
  watch.stop();
  const seconds = (performance.now() - began) / 1000;
  const sha256 = hash.digest('hex');
  const told = (head?.status === 200 ? JSON.parse(body.toString()) : {}) as { bytes?: number; sha256?: string };
  const isEqual = told.bytes === bytes && told.sha256 === sha256;
  console.log(`${gigabytes} GB in chunks ${what}: ${isEqual ? 'equal hash' : 'NOT EQUAL'}, ${sha256.slice(0, 16)}`);
  console.log(`  ${watch.told}; ${seconds.toFixed(1)} s, ${(bytes / 1024 / 1024 / seconds).toFixed(0)} MB/s`);
  return isEqual ? [] : [`${what}: ${head?.status ?? 'no answer'} ${end} ${why}, ${JSON.stringify(told)}`];
}
