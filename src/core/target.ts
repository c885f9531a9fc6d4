/**
 * The target of a registration, read without ever asking a resolver. A name that is looked up can point elsewhere a moment
 * later, so the host is compared as text with what the engine calls the task; `:port` says the same and needs no host.
 */
export interface ParsedTarget {
  /** As written, lower-cased, IPv6 without its brackets; null for `:port`. */
  readonly host: string | null;
  /** Null where the URL is more or less than `http://host:port`. Whose host it names counts for more than that. */
  readonly port: number | null;
}

const PORT_ONLY = /^:([0-9]{1,5})$/;
const URL_LIKE = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/is;
const HOST_AND_PORT = /^(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?$/;

/**
 * Null when `target` is neither `:port` nor a URL. Host and port are those that would be dialled: what stands before an `@`
 * is a user name, whatever it looks like.
 */
export function parseTarget(target: string): ParsedTarget | null {
  const short = PORT_ONLY.exec(target);
  if (short !== null) {
    const port = portOf(short[1]);
    return port === null ? null : { host: null, port };
  }
  const [, scheme = '', authority = '', rest = ''] = URL_LIKE.exec(target) ?? [];
  const user = authority.lastIndexOf('@');
  const [, bracketed = '', digits] = HOST_AND_PORT.exec(authority.slice(user + 1)) ?? [];
  const host = bracketed.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (host === '') return null;
  const isPlain = scheme.toLowerCase() === 'http' && user === -1 && (rest === '' || rest === '/');
  return { host, port: isPlain ? portOf(digits) : null };
}

function portOf(digits: string | undefined): number | null {
  const port = Number(digits);
  return port >= 1 && port <= 65535 ? port : null;
}
