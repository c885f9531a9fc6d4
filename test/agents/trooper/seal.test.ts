import { expect, it } from 'vitest';
import { SEAL_HEADERS, isAnswerSealed, openRequest, sealAnswer, sealRequest } from '../../../agents/trooper/revolt/seal.ts';

const SECRET = 'a secret between two racks';
const NOW = 1_800_000_000_000;
const NONCE = '0123456789abcdef';
const REQUEST = { method: 'POST', path: '/api/revolt/offer', body: '{"a":1}' };

it('a request is opened with the same secret, within a minute, and as it was sent; not otherwise', () => {
  const headers = sealRequest(SECRET, REQUEST, NONCE, NOW);
  expect(openRequest(SECRET, REQUEST, headers, NOW + 60_000)).toBe(NONCE);
  expect(openRequest(SECRET, REQUEST, headers, NOW - 60_000)).toBe(NONCE);
  expect(openRequest(SECRET, REQUEST, headers, NOW + 60_001)).toBeNull();
  expect(openRequest(SECRET, REQUEST, headers, NOW - 60_001)).toBeNull();
  expect(openRequest('another secret', REQUEST, headers, NOW)).toBeNull();
  for (const altered of [{ method: 'GET' }, { path: '/api/revolt/accept' }, { body: '{"a":2}' }]) {
    expect(openRequest(SECRET, { ...REQUEST, ...altered }, headers, NOW)).toBeNull();
  }
  for (const name of Object.values(SEAL_HEADERS)) {
    expect(openRequest(SECRET, REQUEST, { ...headers, [name]: undefined }, NOW)).toBeNull();
    expect(openRequest(SECRET, REQUEST, { ...headers, [name]: [headers[name]!] }, NOW)).toBeNull();
    expect(openRequest(SECRET, REQUEST, { ...headers, [name]: `${headers[name]!}0` }, NOW)).toBeNull();
  }
});

it('an answer is the answer to one request only', () => {
  const signature = sealAnswer(SECRET, NONCE, 201, 'body');
  expect(isAnswerSealed(SECRET, NONCE, 201, 'body', signature)).toBe(true);
  expect(isAnswerSealed(SECRET, 'another-nonce-of-it', 201, 'body', signature)).toBe(false);
  expect(isAnswerSealed(SECRET, NONCE, 202, 'body', signature)).toBe(false);
  expect(isAnswerSealed(SECRET, NONCE, 201, 'Body', signature)).toBe(false);
  expect(isAnswerSealed(SECRET, NONCE, 201, 'body', null)).toBe(false);
});
