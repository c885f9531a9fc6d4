import type { Address } from '../../src/ports/engine.ts';
import { BenchDaemon, HERE } from '../bench/daemon.ts';

/** What stands before the backends and is put to the test: the real daemon in a process of its own, or its public port alone. */
export interface Front {
  readonly address: Address;
  /** Requests that it took for requests, by the id that it gave them. */
  readonly admitted: ReadonlyMap<string, Admitted>;
  /** What went wrong with it as a whole; null while it is well. */
  ended(): string | null;
  close(): Promise<void>;
}

export interface Admitted {
  readonly method: string;
  readonly path: string;
}

/** `<name>.test` reaches the backend of that name. */
export type OpenFront = (backends: Readonly<Record<string, Address>>) => Promise<Front>;

/** The log is the daemon's own account of what it admitted. Nobody's request id is believed, so that each is the daemon's. */
export const openDaemon: OpenFront = async (backends) => {
  const admitted = new Map<string, Admitted>();
  const agents = Object.fromEntries(
    Object.entries(backends).map(([name, { host, port }]) => [
      name,
      { hostname: `${name}.test`, policy: 'unmanaged', backend: `http://${host}:${port}` },
    ]),
  );
  const settings = { trusted_proxies: [], log: { requests: 'all' }, agents };
  const daemon = await BenchDaemon.start(settings, HERE, (line) => {
    const facts = line.startsWith('{') ? (JSON.parse(line) as Record<string, unknown>) : {};
    if (facts['msg'] === 'request ended') admitted.set(String(facts['requestId']), facts as unknown as Admitted);
  });
  return {
    address: daemon.address,
    admitted,
    ended: () => daemon.ended,
    close: () => daemon.end(),
  };
};
