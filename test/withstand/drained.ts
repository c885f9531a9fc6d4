import type { Socket } from 'node:net';

/** Resolves once more may be written, or nothing ever again. Leaves no listener behind: long bodies ask for it often. */
export function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const goOn = (): void => {
      socket.off('drain', goOn).off('close', goOn);
      resolve();
    };
    socket.on('drain', goOn).on('close', goOn);
    if (socket.destroyed) goOn();
  });
}
