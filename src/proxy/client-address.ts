import { isIP } from 'node:net';
import { parseHost } from '../contract/hostname.ts';
import { AddressRanges } from './address-ranges.ts';
import type { Sifted } from './headers.ts';

/**
 * Who is calling, and how the agent is told. What a caller says about itself counts only when it comes from a trusted
 * proxy; from anybody else it is overwritten, not extended (RFC 7239 section 8.1, CVE-2026-3635).
 */
export class TrustedPeers {
  private readonly ranges: AddressRanges;

  /** `specs`: as {@link AddressRanges} takes them. */
  constructor(specs: readonly string[]) {
    this.ranges = new AddressRanges(specs);
  }

  trusts(address: string): boolean {
    return this.ranges.test(address);
  }
}

/** The other end of a client connection. `address` is null on a unix socket, whose peers are always trusted. */
export interface Peer {
  readonly address: string | null;
  readonly trusted: boolean;
}

/** IPv4 that came in over an IPv6 socket is written as IPv4: `::ffff:192.0.2.1` is nobody's idea of an address. */
export function peerOf(remoteAddress: string | undefined, isLocal: boolean, peers: TrustedPeers): Peer {
  if (isLocal || remoteAddress === undefined) return { address: null, trusted: isLocal };
  const address = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(remoteAddress)?.[1] ?? remoteAddress;
  return { address, trusted: peers.trusts(address) };
}

/**
 * The address of who is calling, as far as a trusted proxy vouches for one. Null on the unix socket of path access: behind it
 * stands the operator, and whatever address the operator's own proxy names.
 */
export function clientAddress(lines: Sifted, peer: Peer, peers: TrustedPeers): string | null {
  if (peer.address === null || !peer.trusted || !claimsAny(lines)) return peer.address;
  return believedChain(lines, peers)[0] ?? peer.address;
}

/** Adds the lines that tell the agent who is calling and how. `lines.kept` must have been sifted already. */
export function addForwarding(into: string[], lines: Sifted, peer: Peer, peers: TrustedPeers, host: string): void {
  if (!peer.trusted || !claimsAny(lines)) {
    const address = peer.address ?? 'unknown';
    const forwarded = `for=${node(address)};host="${host}";proto=http`;
    into.push('X-Forwarded-For', address, 'X-Forwarded-Proto', 'http', 'X-Forwarded-Host', host, 'Forwarded', forwarded);
    return;
  }
  const chain = believedChain(lines, peers);
  if (peer.address !== null || chain.length === 0) chain.push(peer.address ?? 'unknown');
  const claimedProto = lines.forwardedProto?.toLowerCase();
  const proto = claimedProto === 'https' || claimedProto === 'http' ? claimedProto : 'http';
  const claimedHost = lines.forwardedHost;
  const shownHost = claimedHost !== null && parseHost(claimedHost) !== null ? claimedHost : host;
  const forwarded = chain.map((address, at) =>
    at === 0 ? `for=${node(address)};host="${shownHost}";proto=${proto}` : `for=${node(address)}`,
  );
  into.push(
    'X-Forwarded-For',
    chain.join(', '),
    'X-Forwarded-Proto',
    proto,
    'X-Forwarded-Host',
    shownHost,
    'Forwarded',
    forwarded.join(', '),
  );
}

const claimsAny = (lines: Sifted): boolean =>
  lines.forwardedFor !== null || lines.cloudflareClient !== null || lines.forwardedProto !== null || lines.forwardedHost !== null;

/**
 * The addresses a trusted proxy may speak for, client first. Read from the right: each trusted proxy vouches for the entry
 * before its own, and what stands left of the first stranger is the stranger's own invention. Cloudflare names the client
 * outright and leaves what the client claimed in X-Forwarded-For, so its word goes first.
 */
function believedChain(lines: Sifted, peers: TrustedPeers): string[] {
  if (lines.cloudflareClient !== null && isIP(lines.cloudflareClient) !== 0) return [lines.cloudflareClient];
  const chain: string[] = [];
  for (const entry of (lines.forwardedFor ?? '').split(',').reverse()) {
    const address = withoutPort(entry.trim());
    if (isIP(address) === 0) break;
    chain.unshift(address);
    if (!peers.trusts(address)) break;
  }
  return chain;
}

const withoutPort = (entry: string): string =>
  /^\[([0-9a-f:.]+)\](?::\d+)?$/i.exec(entry)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(entry)?.[1] ?? entry;

/** RFC 7239 section 6: IPv6 stands in brackets, and then in quotes. It alone has colons. */
const node = (address: string): string => (address.includes(':') ? `"[${address}]"` : address);

/** Kept when a trusted proxy sent one that is safe in a log line and a header; else null: make one. */
export function believedRequestId(claimed: string | null, peer: Peer): string | null {
  return claimed !== null && peer.trusted && /^[\x21-\x7e]{1,128}$/.test(claimed) ? claimed : null;
}
