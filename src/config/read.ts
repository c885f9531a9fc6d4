import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { done, failed, type Outcome } from '../std/outcome.ts';

/** Larger files are refused unread. 1,000 agents with every key written out are about half of it. */
const FILE_BYTES_MAX = 1024 * 1024;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file: a part of its path is not a directory',
  EACCES: 'the file may not be read by this user',
  EPERM: 'the file may not be read by this user',
  ELOOP: 'there are too many symbolic links in its path',
  ENAMETOOLONG: 'the path is too long',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'the file is not UTF-8',
};

/** The text of a config file. The failure is one sentence. */
export function readText(file: string): Outcome<string, string> {
  if (file.includes('\0')) return failed('the path holds a NUL character');
  let descriptor: number | null = null;
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for somebody to write into it.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(descriptor);
    if (stat.isDirectory()) return failed('this is a directory, not a file');
    if (!stat.isFile()) return failed('this is not a regular file');
    // One byte more than allowed: the file may grow between the look and the reading.
    const buffer = Buffer.alloc(Math.min(stat.size, FILE_BYTES_MAX) + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = readSync(descriptor, buffer, length, buffer.length - length, null);
    }
    if (length > FILE_BYTES_MAX) return failed('the file is larger than 1 MiB');
    return done(new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length)));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return failed(REASONS[code] ?? `the file cannot be read (${code})`);
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}
