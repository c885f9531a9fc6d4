import { Memcached } from '../support/memcached.ts';
import { describeMemcached } from './memcached-contract.ts';

// As everybody has it: values up to a megabyte.
describeMemcached('memcached', () => Memcached.start(['-I', '1m']));
