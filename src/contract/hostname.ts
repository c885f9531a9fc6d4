/**
 * Names on the wire and how they are compared. One normaliser of our own, because WHATWG URL parsing rewrites hosts
 * (`127.1`, `0x7f.1` and full-width digits all become 127.0.0.1) and a proxy that routes by such a host routes wrongly.
 */
declare const hostname: unique symbol;
/** A normalised host: lower case, no port, no trailing dot. */
export type Hostname = string & { readonly [hostname]: true };

/** RFC 1123 labels, with the underscore that Docker and some DNS zones use; 253 characters in all. */
const NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
const IPV6_LITERAL = /^\[[0-9a-f:.]{2,45}\]$/;
const PORT = /^[0-9]{0,5}$/;

/**
 * The look-up key of a `Host` header or an absolute-form authority (RFC 9110 section 7.2, RFC 3986 section 3.2.2): port
 * stripped, also after `[::1]`, lower-cased, one trailing dot dropped. Null when the value is no valid host; userinfo,
 * lists, spaces and paths are among what is not.
 */
export function parseHost(value: string): Hostname | null {
  if (value.length > 262) return null;
  const lower = value.toLowerCase();
  const close = lower.startsWith('[') ? lower.indexOf(']') : -1;
  const colon = lower.indexOf(':', close + 1);
  const port = colon === -1 ? '' : lower.slice(colon + 1);
  if (!PORT.test(port) || Number(port) > 65535) return null;
  let name = colon === -1 ? lower : lower.slice(0, colon);
  if (close !== -1) return IPV6_LITERAL.test(name) ? (name as Hostname) : null;
  if (name.endsWith('.')) name = name.slice(0, -1);
  return NAME.test(name) ? (name as Hostname) : null;
}

/** As {@link parseHost} for a name that may not carry a port: hostnames in the config file and in registrations. */
export function parseHostname(value: string): Hostname | null {
  return value.includes(':') && !value.startsWith('[') ? null : value.includes(']:') ? null : parseHost(value);
}

/** `*.example.com`, normalised to the suffix `.example.com` that a host must end in; null when it is no wildcard. */
export function parseWildcard(value: string): string | null {
  if (!value.startsWith('*.')) return null;
  const parent = parseHostname(value.slice(2));
  return parent === null ? null : `.${parent}`;
}

/** Whether `pattern` (a hostname or a wildcard, as configured) covers `host`, at any depth. */
export function covers(pattern: string, host: Hostname): boolean {
  const suffix = parseWildcard(pattern);
  if (suffix === null) return parseHostname(pattern) === host;
  return host.length > suffix.length && host.endsWith(suffix);
}
