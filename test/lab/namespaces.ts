import { readlinkSync } from 'node:fs';

/** Which namespaces a process is in: the inode numbers that the kernel gives them, as `net:[4026532281]`. */
export type Namespaces = Readonly<Record<'mnt' | 'net' | 'pid', string>>;

export const namespacesOf = (pid: number | 'self'): Namespaces => {
  const read = (kind: string): string => readlinkSync(`/proc/${pid}/ns/${kind}`);
  return { mnt: read('mnt'), net: read('net'), pid: read('pid') };
};
