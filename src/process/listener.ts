import { closeSync, openSync, readSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { endianness } from 'node:os';
import { socketsOf } from './proc.ts';

/**
 * Whose socket listens. Between the moment a port was seen to be free and the moment the agent binds it, any program of the
 * machine may take it, and then a stranger's 200 would pass for the agent's health (promise H). The kernel knows better: the
 * inodes of the listening sockets are in /proc/net/tcp, and who holds them is in /proc/PID/fd. Handing the agent a socket
 * that listens already was rejected: no agent expects one.
 */
export type Holder = 'family' | 'stranger' | 'nobody' | 'unknown';

/** A socket that listens, as /proc/net/tcp and tcp6 have it: the address in the kernel's own hexadecimal. */
export interface Listening {
  readonly address: string;
  readonly port: number;
  readonly inode: string;
}

/** One line of them (proc_pid_net(5)); null when it is another line or a socket that does not listen. */
export function parseSocket(line: string): Listening | null {
  const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
  const [address, port] = local.split(':');
  if (state !== '0A' || inode === undefined || address === undefined || port === undefined) return null;
  return { address, port: Number.parseInt(port, 16), inode };
}

/**
 * Who would take a connection to this IPv4 address and port. `family` gives the pids of one family, the likeliest first; it
 * is asked for no more of them than it takes. `unknown`: the kernel cannot be asked, or a member does not show what it holds.
 */
export function holderOf(host: string, port: number, family: () => Iterable<number>): Holder {
  if (!isIPv4(host)) return 'unknown';
  const takers = takersOf(hexOf(host), port);
  if (takers === null) return 'unknown';
  if (takers.length === 0) return 'nobody';
  // Several may share a port (SO_REUSEPORT); each of them then gets some of the connections.
  const foreign = new Set(takers.map(({ inode }) => inode));
  let hidden = false;
  for (const pid of family()) {
    const sockets = socketsOf(pid);
    if (sockets === null) hidden = true;
    else for (const inode of sockets) foreign.delete(inode);
    if (foreign.size === 0) return 'family';
  }
  return hidden ? 'unknown' : 'stranger';
}

const ANY_4 = '00000000';
const ANY_6 = '0'.repeat(32);
/** How an IPv6 address begins that stands for an IPv4 one. */
const MAPPED = endianness() === 'LE' ? '0000000000000000FFFF0000' : '00000000000000000000FFFF';

/** The kernel writes addresses as numbers of the machine's own byte order. */
function hexOf(host: string): string {
  const bytes = host.split('.').map((part) => Number(part).toString(16).padStart(2, '0').toUpperCase());
  return (endianness() === 'LE' ? bytes.reverse() : bytes).join('');
}

/**
 * The kernel prefers whoever listens on the very address, and IPv4 to IPv6. The second file is read only where the first
 * has nobody: each read costs half a millisecond, for the kernel walks its table of connections. Null without a /proc.
 */
function takersOf(address: string, port: number): readonly Listening[] | null {
  const four = readListening('/proc/net/tcp')?.filter((each) => each.port === port);
  if (four === undefined) return null;
  const among = (all: readonly Listening[], wanted: string): readonly Listening[] =>
    all.filter((each) => each.address === wanted);
  for (const wanted of [address, ANY_4]) if (among(four, wanted).length > 0) return among(four, wanted);
  // A kernel without IPv6 has no such file.
  const six = readListening('/proc/net/tcp6')?.filter((each) => each.port === port) ?? [];
  const mapped = among(six, `${MAPPED}${address}`);
  return mapped.length > 0 ? mapped : among(six, ANY_6);
}

const CHUNK = Buffer.alloc(16_384);

/**
 * Reads no further than the sockets that listen. They come first (the kernel's proc_net_tcp.rst), and after them come all
 * connections of the machine, of which a busy one has very many.
 */
function readListening(file: string): readonly Listening[] | null {
  let descriptor: number | null = null;
  try {
    descriptor = openSync(file, 'r');
    const found: Listening[] = [];
    let text = '';
    let isHeader = true;
    for (;;) {
      const length = readSync(descriptor, CHUNK);
      if (length === 0) return found;
      const lines = (text + CHUNK.toString('latin1', 0, length)).split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        const socket = isHeader ? null : parseSocket(line);
        if (socket === null && !isHeader) return found;
        if (socket !== null) found.push(socket);
        isHeader = false;
      }
    }
  } catch {
    return null;
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}
