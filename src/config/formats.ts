import { isAbsolute, resolve } from 'node:path';
import { isIP } from 'node:net';
import { parseHttpUrl, parseListen } from '../contract/address.ts';
import { parseHostname, parseWildcard } from '../contract/hostname.ts';
import { formatDuration, parseDuration, parseSize } from '../contract/units.ts';
import type { Millis } from '../std/time.ts';

/**
 * The formats that the schema names: how to tell one, how to describe it, and what it becomes once loaded. One table, so that
 * a format cannot be checked in one way and read in another.
 */
export interface Format {
  readonly is: (text: string) => boolean;
  /** Completes "must be ...". */
  readonly says: string;
  /** Why a text is not one, to follow "it "; for formats with many ways to be wrong. */
  readonly why?: (text: string) => string | null;
  /** What the text becomes; left out where it stays as it is. Only called when `is` said yes. */
  readonly load?: (text: string, directory: string) => unknown;
  /** The way back from `load`. */
  readonly unload?: (value: unknown) => string;
}

export const FORMATS: Readonly<Record<string, Format>> = {
  duration: {
    is: (text) => parseDuration(text) !== null,
    says: 'a duration such as 250ms, 30s, 10m, 2h or 1d',
    load: parseDuration,
    unload: (value) => formatDuration(value as Millis),
  },
  'positive-duration': {
    is: (text) => (parseDuration(text) ?? 0) > 0,
    says: 'a duration above zero such as 250ms, 30s, 10m, 2h or 1d',
    load: parseDuration,
    unload: (value) => formatDuration(value as Millis),
  },
  size: {
    is: (text) => (parseSize(text) ?? 0) > 0,
    says: 'a size above zero such as 32KB, 1MB or 2GB',
    load: parseSize,
  },
  listen: { is: (text) => parseListen(text) !== null, says: 'an address to listen on such as :8080 or 127.0.0.1:8080' },
  cidr: { is: isCidr, says: 'an address range such as 10.0.0.0/8, or the word loopback or private' },
  'host-pattern': {
    is: (text) => parseHostname(text) !== null || parseWildcard(text) !== null,
    says: 'a hostname such as kai.example.com, or *.example.com, without scheme and port',
  },
  'http-url': {
    is: (text) => parseHttpUrl(text).ok,
    says: 'an address such as http://127.0.0.1:3000',
    why: (text) => {
      const url = parseHttpUrl(text);
      return url.ok ? null : url.failure;
    },
  },
  title: {
    is: (text) => text.trim() !== '' && text.length <= 100 && !/\p{Cc}/u.test(text),
    says: 'one line of 1 to 100 characters',
  },
  colour: {
    is: (text) => /^#(?:[0-9a-f]{3}|[0-9a-f]{6})$/i.test(text),
    says: 'a colour in quotes such as "#0a7" or "#00aa77"',
  },
  path: {
    is: (text) => text !== '',
    says: 'a path',
    load: (text, directory) => (isAbsolute(text) ? text : resolve(directory, text)),
  },
};

/** An address, an address with a prefix length (RFC 4632, RFC 4291), or one of the words. */
function isCidr(text: string): boolean {
  if (text === 'loopback' || text === 'private') return true;
  const match = /^([^/%]+)(?:\/([0-9]{1,3}))?$/.exec(text);
  const version = isIP(match?.[1] ?? '');
  return version !== 0 && Number(match?.[2] ?? 0) <= (version === 4 ? 32 : 128);
}
