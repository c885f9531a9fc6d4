import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

// Listens with the shortest queue, says where, and never comes back to its event loop.
const SCRIPT = `
const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  require('node:fs').writeSync(1, String(server.address().port));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});`;

/** A port where connecting takes for ever: its process is stuck, and the kernel's queue of connections for it is full. */
export class DeafListener {
  readonly port: number;
  private readonly process: ChildProcess;
  private readonly queued: readonly Socket[];

  private constructor(process: ChildProcess, port: number, queued: readonly Socket[]) {
    this.process = process;
    this.port = port;
    this.queued = queued;
  }

  static async open(): Promise<DeafListener> {
    const child = spawn(process.execPath, ['-e', SCRIPT], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    const port = Number(said.toString());
    // A backlog of 1 holds two connections (Linux); what comes after them is not answered at all.
    const queued: Socket[] = [];
    for (let filled = 0; filled < 2; filled += 1) {
      const socket = connect({ host: '127.0.0.1', port });
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      queued.push(socket);
    }
    return new DeafListener(child, port, queued);
  }

  close(): void {
    this.process.kill('SIGKILL');
    for (const socket of this.queued) socket.destroy();
  }
}
