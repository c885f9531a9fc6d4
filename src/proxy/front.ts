import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Traffic } from '../runtime/traffic.ts';
import type { Brand } from './page/brand.ts';
import type { StateReaders } from './state-readers.ts';
import type { TrustedPeers } from './client-address.ts';
import type { Figures } from './figures.ts';
import type { IgnoreBook } from './ignore.ts';
import type { PulseSource } from './pulse.ts';
import type { TurnEnd } from './turn-end.ts';
import type { Limits, Upstream } from './upstream/upstream.ts';

/** What every connection and request on the public port shares. Written by the server alone. */
export interface Front {
  readonly clock: Clock;
  readonly log: Log;
  readonly traffic: Traffic;
  readonly upstream: Upstream;
  readonly figures: Figures;
  readonly pulses: PulseSource;
  readonly turnEnd: TurnEnd;
  readonly stateReaders: StateReaders;
  /** How the agent's waiting page looks. */
  readonly brandOf: (agent: string) => Brand;
  readonly limits: Limits;
  readonly peers: TrustedPeers;
  readonly ignoring: IgnoreBook;
  readonly logRequests: 'all' | 'errors' | 'none';
  readonly draining: boolean;
  /** A request or tunnel has ended. */
  workEnded(): void;
}
