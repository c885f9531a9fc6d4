import { describe, expect, it } from 'vitest';
import { CALLS } from '../../src/swarm/calls.ts';
import { readText } from '../house/tree.ts';

/** The allow-list of the socket proxy, and the calls that it has to let through, neither more nor fewer. */
const allowed = [...readText('deploy/socket-proxy/nginx.conf').matchAll(/^\s*"~([^"]+)" 1;$/gm)].map(
  ([, pattern = '']) => new RegExp(pattern),
);
const isAllowed = (call: string): boolean => allowed.some((pattern) => pattern.test(call));
const written = Object.values(CALLS).map(({ method, path }) => `${method} /v1.41${path.replace('{}', 'reveille_hello')}`);

describe('the socket proxy', () => {
  it('lets every call of the daemon through, with and without a query, and has no line that none of them needs', () => {
    expect(written.filter((call) => !isAllowed(call) || !isAllowed(`${call}?version=1`))).toEqual([]);
    expect(allowed.filter((pattern) => !written.some((call) => pattern.test(call)))).toEqual([]);
    expect(isAllowed('GET /version')).toBe(true);
  });

  it.each([
    'POST /v1.41/services/create',
    'DELETE /v1.41/services/x',
    'POST /v1.41/containers/create',
    'GET /v1.41/containers/x/logs',
    'POST /v1.41/containers/x/kill',
    'POST /v1.41/containers/x/exec',
    'GET /v1.41/secrets',
    'POST /v1.41/services/../containers/create',
    'POST /v1.41/services/%2e%2e/update',
    'POST /v1.41/services/x/update/../../../containers/create',
    'GET /v1.41/info/../containers/json',
    'GET /v1.41/infos',
    'POST /v1.41/info',
  ])('refuses %s', (call) => {
    expect(isAllowed(call)).toBe(false);
  });
});
