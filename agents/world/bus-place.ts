import { EnvironmentError, type Variables, given } from '../kit/environment.ts';
import type { BusPlace } from './bus.ts';

/** Where memcached is: MEMCACHED_HOST and MEMCACHED_PORT, as in the original; 127.0.0.1:11211 without. */
export function readBusPlace(variables: Variables): BusPlace {
  const host = given(variables, 'MEMCACHED_HOST') ?? '127.0.0.1';
  const port = given(variables, 'MEMCACHED_PORT') ?? '11211';
  if (!HOST.test(host)) throw wrong('MEMCACHED_HOST', host, 'a name or an IPv4 address');
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535) throw wrong('MEMCACHED_PORT', port, 'a port');
  return { host, port: Number(port) };
}

const HOST = /^[a-zA-Z0-9._-]{1,253}$/;

const wrong = (name: string, text: string, wanted: string): EnvironmentError =>
  new EnvironmentError(`${name} holds ${JSON.stringify(text)}; it must be ${wanted}`);
