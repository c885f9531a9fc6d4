import { mkdtempSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseListen } from '../contract/address.ts';
import type { Address } from '../ports/engine.ts';
import { assert } from '../std/assert.ts';

/** Where the daemon can be met on this machine: what the config calls an address, put into terms of its interfaces and paths. */

/** One byte less than `sun_path` holds on the stricter systems. */
const SOCKET_PATH_BYTES_MAX = 103;

/** What to listen on for a `listen` of the config. */
export function listenAddress(text: string): Address {
  const address = parseListen(text);
  assert(address !== null, 'the config was checked: its addresses are whole');
  return { host: address.host ?? everyInterface(), port: address.port };
}

/** `::` takes IPv4 too, but cannot be bound where the machine has no IPv6. */
function everyInterface(): string {
  const families = Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map(({ family }) => family) ?? []);
  return families.includes('IPv6') ? '::' : '0.0.0.0';
}

/** An address that this machine reaches itself at: a wildcard is none. */
export function urlHost({ host, port }: Address): string {
  const near = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `${near.includes(':') ? `[${near}]` : near}:${port}`;
}

/**
 * Where path access meets the data plane. In state_dir, which is ours alone and where the next start clears away what a killed
 * one left; beside the other temporary files only where the path would be longer than a socket's may be (unix(7)).
 */
export function accessSocket(stateDir: string): { readonly path: string; readonly remove: () => void } {
  const inside = join(stateDir, 'data-plane.sock');
  const fits = Buffer.byteLength(inside) <= SOCKET_PATH_BYTES_MAX;
  const directory = fits ? null : mkdtempSync(join(tmpdir(), 'reveille-'));
  const path = directory === null ? inside : join(directory, 'data-plane.sock');
  const remove = (): void => rmSync(directory ?? path, { recursive: true, force: true });
  if (fits) remove();
  return { path, remove };
}
