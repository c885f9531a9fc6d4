import type { Hostname } from '../../src/contract/hostname.ts';
import { matchWildcard, routeTable } from '../../src/core/route-table.ts';
import { EventLog } from '../../src/runtime/event-log.ts';
import { RouteBook } from '../../src/runtime/route-book.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { RecordingMetrics } from '../support/recording-metrics.ts';
import { SimClock } from '../support/sim-clock.ts';
import { median } from './measure.ts';

/**
 * A look-up by itself, in nanoseconds: which agent has the host by config, who registered it, and whose wildcard covers it, all
 * three each time, with so many agents configured and so many names registered. Every host is a string that nobody has seen, as off the wire,
 * so that hashing it is part of the price.
 */
const LOOKUPS = 50_000;
const ROUNDS = 9;

export function lookUpNanos(agents: number, names: number): number {
  const nameOf = (index: number): string => `n${index}.registered.localhost`;
  const table = routeTable(
    Array.from({ length: agents }, (_, index) => ({
      name: `agent-${index}`,
      patterns: [`agent-${index}.localhost`, `*.of-${index}.localhost`],
    })),
  );
  const parts = { clock: new SimClock(), store: new MemoryStore(), metrics: new RecordingMetrics(), log: new RecordingLog() };
  const book = new RouteBook({ ...parts, events: new EventLog(parts) });
  for (let index = 0; index < names; index += 1)
    book.put({ hostname: nameOf(index) as Hostname, agent: `agent-${index % agents}`, task: 'task', port: 1 }, null);
  return median(
    Array.from({ length: ROUNDS }, () => {
      const hosts = Array.from(
        { length: LOOKUPS },
        (_, index) => Buffer.from(nameOf(index % names)).toString('latin1') as Hostname,
      );
      let found = 0;
      const began = performance.now();
      for (const host of hosts) {
        if (table.exact.has(host)) found += 1;
        if (book.get(host) !== undefined) found += 1;
        if (matchWildcard(table, host) !== undefined) found += 1;
      }
      const nanos = ((performance.now() - began) * 1e6) / LOOKUPS;
      if (found !== LOOKUPS) throw new Error(`${found} of ${LOOKUPS} hosts were found`);
      return nanos;
    }),
  );
}
