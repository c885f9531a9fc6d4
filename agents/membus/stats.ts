import { type Static, Type } from 'typebox';
import type { Answer } from './answer.ts';

/** How it goes, for people and programs: the page at `/` and `/stats`, and memcached's own `stats` under its names for them. */
export const StatsSchema = Type.Object({
  uptime_seconds: Type.Integer(),
  connections: Type.Integer(),
  items: Type.Integer(),
  /** What items count for, of `bytes_max`, beyond which the least recently used are evicted. */
  bytes: Type.Integer(),
  bytes_max: Type.Integer(),
  evictions: Type.Integer(),
  gets: Type.Integer(),
  hits: Type.Integer(),
  stores: Type.Integer(),
  /** Requests that were refused because the file could not be written. */
  failed_writes: Type.Integer(),
});
export type Stats = Static<typeof StatsSchema>;

export function statsAnswer(stats: Stats, version: string): Answer {
  const lines = {
    pid: process.pid,
    uptime: stats.uptime_seconds,
    version,
    curr_connections: stats.connections,
    curr_items: stats.items,
    bytes: stats.bytes,
    limit_maxbytes: stats.bytes_max,
    evictions: stats.evictions,
    cmd_get: stats.gets,
    get_hits: stats.hits,
    get_misses: stats.gets - stats.hits,
    cmd_set: stats.stores,
  };
  return [...Object.entries(lines).map(([name, value]) => `STAT ${name} ${value}\r\n`), 'END\r\n'];
}
