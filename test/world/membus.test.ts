import { Membus } from '../support/membus.ts';
import { describeMemcached } from './memcached-contract.ts';

describeMemcached('membus', () => Membus.start());
