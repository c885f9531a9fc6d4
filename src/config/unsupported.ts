import type { Complaint } from './complaint.ts';
import type { LoadedConfig } from './load.ts';

/**
 * What a valid file asks for that this version cannot do. Kept apart from the check: a file is right or wrong whichever version
 * reads it, so `reveille check` only mentions these, while `reveille serve` refuses to start with them.
 */
export function unsupported(loaded: LoadedConfig): readonly Complaint[] {
  if (loaded.config.engine !== 'swarm') return [];
  return [{ ...loaded.position('/engine'), message: 'engine swarm is not served by this version yet; write `engine: process`' }];
}
