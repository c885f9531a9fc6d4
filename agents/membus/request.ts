/**
 * What can be asked of membus: the classic text commands of memcached (protocol.txt). The commands `gat`, `gats`, the slab and
 * LRU tuning and the meta commands are left out, because the world's client has no use for them; they are answered with ERROR.
 *
 * Keys are texts with one character for each byte (latin1), so that any byte may stand in them.
 */
export type StoreVerb = 'set' | 'add' | 'replace' | 'append' | 'prepend' | 'cas';

export type Request =
  | {
      readonly kind: 'store';
      readonly verb: StoreVerb;
      readonly key: string;
      readonly flags: number;
      readonly exptime: number;
      readonly value: Buffer;
      /** What `cas` wants to see; null for the other verbs. */
      readonly unique: number | null;
      readonly noreply: boolean;
    }
  | { readonly kind: 'get'; readonly keys: readonly string[]; readonly withUnique: boolean }
  | { readonly kind: 'delete'; readonly key: string; readonly noreply: boolean }
  | { readonly kind: 'count'; readonly key: string; readonly by: bigint; readonly down: boolean; readonly noreply: boolean }
  | { readonly kind: 'touch'; readonly key: string; readonly exptime: number; readonly noreply: boolean }
  | { readonly kind: 'flush'; readonly noreply: boolean }
  | { readonly kind: 'stats' }
  /** Nothing is to be done but to say this. */
  | { readonly kind: 'say'; readonly text: string; readonly noreply: boolean }
  /** A value that is too large has been swallowed. As in memcached `set` leaves nothing of the old one. */
  | { readonly kind: 'too-large'; readonly forget: string | null; readonly noreply: boolean }
  /** The connection ends after `text`. */
  | { readonly kind: 'end'; readonly text: string };

export const SAID = {
  error: 'ERROR',
  badLine: 'CLIENT_ERROR bad command line format',
  badDelete: 'CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]',
  badChunk: 'CLIENT_ERROR bad data chunk',
  badDelta: 'CLIENT_ERROR invalid numeric delta argument',
  badExptime: 'CLIENT_ERROR invalid exptime argument',
  notNumber: 'CLIENT_ERROR cannot increment or decrement non-numeric value',
  lineTooLong: 'CLIENT_ERROR line too long',
  laterFlush: 'CLIENT_ERROR flush_all with a delay is not supported',
  tooLarge: 'SERVER_ERROR object too large for cache',
  notWritten: 'SERVER_ERROR the value could not be written to disk',
  version: 'VERSION 1.0.0-membus',
} as const;

/** Largest size of key and value together. It is memcached's 1 MiB less what that needs for its own head. */
export const ITEM_BYTES_MAX = 1024 * 1024 - 64;
/** Below 2^64, as protocol.txt has it for numbers that are counted with and for cas uniques. */
export const UINT64 = 2n ** 64n;

/** A decimal number below 2^64, or null. */
export function uint64(text: string): bigint | null {
  if (!/^\+?[0-9]{1,40}$/.test(text)) return null;
  const value = BigInt(text.replace('+', ''));
  return value < UINT64 ? value : null;
}
