import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** What a client may send before its upgrade is answered; then it has to wait. Honest ones send nothing. */
const EARLY_BYTES_MAX = 64 * 1024;

/**
 * The client's socket between its upgrade request and the answer. Bytes that came early are held and go to the agent only
 * after its 101: written before, they would be read as the next request by an agent that refuses the upgrade (Pingora
 * CVE-2026-2833). The socket is read all the same, since an unread socket does not tell that the client has gone.
 */
export class UpgradeWait {
  /** Answers that are no 101 go out through it, by the same code as every other answer. */
  readonly response: ServerResponse;
  private readonly socket: Socket;
  private readonly early: Buffer[] = [];
  private earlyBytes = 0;

  constructor(request: IncomingMessage, socket: Socket, head: Buffer, clientEnded: () => void) {
    this.socket = socket;
    this.hold(head);
    socket.on('data', this.hold).on('end', clientEnded);
    this.response = new ServerResponse(request);
    this.response.assignSocket(socket);
    // node:http has let go of the socket: the connection ends with this answer, and nobody else tells of room in it.
    this.response.shouldKeepAlive = false;
    this.response.on('finish', () => socket.destroySoon());
    socket.on('drain', () => this.response.emit('drain'));
    this.clientEnded = clientEnded;
  }

  private readonly clientEnded: () => void;

  /** The upgrade went through: the socket is the caller's, and these are the bytes that came early. */
  release(): readonly Buffer[] {
    this.response.detachSocket(this.socket);
    this.socket.off('data', this.hold).off('end', this.clientEnded).removeAllListeners('drain');
    return this.early;
  }

  private readonly hold = (chunk: Buffer): void => {
    if (chunk.length === 0) return;
    this.early.push(chunk);
    this.earlyBytes += chunk.length;
    if (this.earlyBytes > EARLY_BYTES_MAX) this.socket.pause();
  };
}
