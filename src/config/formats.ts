import { METHODS } from 'node:http';
import { isAbsolute, resolve } from 'node:path';
import { isIP } from 'node:net';
import { parseHttpUrl, parseListen } from '../contract/address.ts';
import { parseHostname, parseWildcard } from '../contract/hostname.ts';
import { formatDuration, parseDuration, parseRate, parseSize } from '../contract/units.ts';
import { Pattern } from '../std/pattern.ts';
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

const PATH_CHARS_MAX = 1024;
const BODY_BYTES_MAX = 4096;
/** Answered by the daemon itself, whatever an agent would say. */
const NEVER_SERVED: readonly string[] = ['CONNECT', 'TRACE'];

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
  rate: {
    is: (text) => parseRate(text) !== null,
    says: 'a number per second, minute or hour such as 5/s, 60/m or 1000/h',
    why: (text) => (/^0+\//.test(text) ? 'would refuse every wake; write null for no limit' : null),
    load: parseRate,
  },
  method: {
    is: isServedMethod,
    says: 'a method such as GET, HEAD or POST',
    why: (text) => {
      if (NEVER_SERVED.includes(text.toUpperCase())) return 'is never served';
      return isServedMethod(text.toUpperCase()) ? 'must be written in capitals' : 'is not a method that is known here';
    },
  },
  'path-pattern': {
    is: (text) => reasonAgainstPath(text) === null,
    says: 'a path such as /robots.txt, or the beginning of one such as /probe/*',
    why: reasonAgainstPath,
  },
  regex: {
    is: (text) => Pattern.parse(text).ok,
    says: 'a regular expression such as "bot|crawler"',
    why: (text) => {
      const pattern = Pattern.parse(text);
      return pattern.ok ? null : pattern.failure;
    },
  },
  'header-name': {
    is: (text) => HEADER_NAME.test(text),
    says: 'the name of a header line such as X-Purpose',
  },
  'answer-body': {
    is: (text) => Buffer.byteLength(text) <= BODY_BYTES_MAX,
    says: 'text of at most 4 KB',
    why: (text) => `has ${Buffer.byteLength(text)} bytes`,
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

/** RFC 9110 section 5.6.2, and a length that no name that is used comes near. */
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]{1,100}$/;

function isServedMethod(text: string): boolean {
  return METHODS.includes(text) && !NEVER_SERVED.includes(text);
}

function reasonAgainstPath(text: string): string | null {
  if (!text.startsWith('/')) return 'does not begin with /';
  if (text.length > PATH_CHARS_MAX) return `is longer than ${PATH_CHARS_MAX} characters`;
  if (/[?#]/.test(text)) return 'has a query or a fragment, and paths are compared without';
  if (!/^[!-~]*$/.test(text)) return 'has characters that are percent-encoded in a request';
  return text.slice(0, -1).includes('*') ? 'has a * that is not at its end' : null;
}
