/**
 * The target of a registration, read without ever asking a resolver. A name that is looked up can point elsewhere a moment
 * later, so the host is compared as text with what the engine calls the task; `:port` says the same and needs no host.
 */
export interface ParsedTarget {
  readonly port: number;
  /** As written, lower-cased, or null for `:port`. */
  readonly host: string | null;
}

const PORT_ONLY = /^:([0-9]{1,5})$/;
const HTTP_URL = /^http:\/\/([a-z0-9._-]+|\[[0-9a-f:.]+\]):([0-9]{1,5})\/?$/;

/** Null when `target` is neither `:port` nor `http://host:port`: no userinfo, path, query, other scheme or missing port. */
export function parseTarget(target: string): ParsedTarget | null {
  const short = PORT_ONLY.exec(target);
  const long = short === null ? HTTP_URL.exec(target.toLowerCase()) : null;
  const port = Number(short?.[1] ?? long?.[2] ?? Number.NaN);
  if (!Number.isInteger(port) || port < 1 || port > 65535) return null;
  return { port, host: long?.[1] ?? null };
}
