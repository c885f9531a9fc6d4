/**
 * Where a stream of WebSocket frames stands (RFC 6455 section 5.2). The tunnel passes bytes on untouched; this only looks on,
 * to tell data frames from control frames and to know when a frame of our own may be put in. It reads heads and skips
 * payloads, so it costs nothing per byte. Rejected: a WebSocket library on both sides, which re-frames, unmasks and
 * buffers everything, and has to understand each extension.
 */
export class FrameScanner {
  private step: 'opcode' | 'length' | 'longLength' | 'mask' | 'payload' = 'opcode';
  private isData = false;
  private isMasked = false;
  private bytesLeft = 0;
  private payloadLength = 0;

  /** Nothing of an unfinished frame has gone by: another frame may start here. */
  get atBoundary(): boolean {
    return this.step === 'opcode';
  }

  /** Reads on. Returns how many data frames (any opcode but 8-15) had their head completed in `chunk`. */
  scan(chunk: Uint8Array): number {
    let dataFrames = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.step === 'payload') {
        const skipped = Math.min(this.bytesLeft, chunk.length - at);
        at += skipped;
        this.bytesLeft -= skipped;
        if (this.bytesLeft === 0) this.step = 'opcode';
        continue;
      }
      dataFrames += this.headByte(chunk[at] ?? 0);
      at += 1;
    }
    return dataFrames;
  }

  private headByte(byte: number): number {
    switch (this.step) {
      case 'opcode':
        this.isData = (byte & 0x0f) < 8;
        this.step = 'length';
        return 0;
      case 'length': {
        this.isMasked = (byte & 0x80) !== 0;
        const short = byte & 0x7f;
        this.payloadLength = short < 126 ? short : 0;
        if (short < 126) return this.lengthKnown();
        this.step = 'longLength';
        this.bytesLeft = short === 126 ? 2 : 8;
        return 0;
      }
      case 'longLength':
        this.payloadLength = this.payloadLength * 256 + byte;
        this.bytesLeft -= 1;
        return this.bytesLeft === 0 ? this.lengthKnown() : 0;
      case 'mask':
        this.bytesLeft -= 1;
        return this.bytesLeft === 0 ? this.headComplete() : 0;
      case 'payload':
        return 0;
    }
  }

  private lengthKnown(): number {
    if (!this.isMasked) return this.headComplete();
    this.step = 'mask';
    this.bytesLeft = 4;
    return 0;
  }

  private headComplete(): number {
    this.bytesLeft = this.payloadLength;
    this.step = this.payloadLength === 0 ? 'opcode' : 'payload';
    return this.isData ? 1 : 0;
  }
}

/** Close 1001 "going away" (RFC 6455 section 7.4.1), as a server sends it: unmasked. */
export const CLOSE_GOING_AWAY = Buffer.from([0x88, 0x02, 0x03, 0xe9]);

/**
 * The same as a client sends it: masked (section 5.3). The key is fixed: masking guards caches between a browser's script
 * and a server, and no script chose these bytes.
 */
export const CLOSE_GOING_AWAY_MASKED = Buffer.from([0x88, 0x82, 0x52, 0x65, 0x76, 0x65, 0x03 ^ 0x52, 0xe9 ^ 0x65]);
