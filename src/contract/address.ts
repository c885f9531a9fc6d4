import { done, failed, type Outcome } from '../std/outcome.ts';
import { parseHostname } from './hostname.ts';

/**
 * Addresses as they are written in the config file and in bodies: what to listen on, what to dial. Parsed by a grammar of our
 * own and not by WHATWG URL, for the reason given in hostname.ts: what is dialled must be what was written.
 */
export interface Listen {
  /** Null: every interface. IPv6 without its brackets. */
  readonly host: string | null;
  /** 0: any free port. */
  readonly port: number;
}

/** `:8080`, `127.0.0.1:9180`, `[::1]:8080`, `name:8080`. Null when it is none of these. */
export function parseListen(text: string): Listen | null {
  const colon = text.lastIndexOf(':');
  const port = portOf(text.slice(colon + 1));
  if (colon === -1 || port === null) return null;
  if (colon === 0) return { host: null, port };
  const host = parseHostname(text.slice(0, colon));
  return host === null ? null : { host: withoutBrackets(host), port };
}

export interface HttpUrl {
  /** Lower case; IPv6 without its brackets. */
  readonly host: string;
  /** 80 where none was written. */
  readonly port: number;
  /** Path and query as written; empty where there is none. */
  readonly path: string;
}

/** An `http:` URL (RFC 9110 section 4.2.1) without user name and fragment. The failure is a reason that follows "it ". */
export function parseHttpUrl(text: string): Outcome<HttpUrl, string> {
  if (/^https:/i.test(text)) return failed('is https, and agents are dialled by http:// only');
  if (!/^http:\/\//i.test(text)) return failed('does not begin with http://');
  const rest = text.slice('http://'.length);
  const end = rest.search(/[/?#]/);
  const authority = end === -1 ? rest : rest.slice(0, end);
  const path = end === -1 ? '' : rest.slice(end);
  if (authority.includes('@')) return failed('carries a user name');
  if (path.includes('#')) return failed('has a fragment (#)');
  if (!/^[!-~]*$/.test(path)) return failed('has characters in its path that must be percent-encoded');
  const colon = authority.lastIndexOf(':');
  const hasPort = colon > authority.lastIndexOf(']');
  const host = parseHostname(hasPort ? authority.slice(0, colon) : authority);
  if (host === null) return failed('has no valid host');
  const port = hasPort ? portOf(authority.slice(colon + 1)) : 80;
  if (port === null || port === 0) return failed('has no valid port');
  return done({ host: withoutBrackets(host), port, path });
}

/** What an agent's `backend` may be: an http URL that is only scheme, host and port. Failures as in {@link parseHttpUrl}. */
export function parseBackend(text: string): Outcome<{ readonly host: string; readonly port: number }, string> {
  const url = parseHttpUrl(text);
  if (!url.ok) return url;
  if (url.value.path !== '' && url.value.path !== '/') return failed('has a path, and requests keep their own');
  return done({ host: url.value.host, port: url.value.port });
}

function portOf(text: string): number | null {
  return /^[0-9]{1,5}$/.test(text) && Number(text) <= 65535 ? Number(text) : null;
}

const withoutBrackets = (host: string): string => (host.startsWith('[') ? host.slice(1, -1) : host);
