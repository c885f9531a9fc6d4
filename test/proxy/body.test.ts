import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { RequestBody } from '../../src/proxy/body.ts';

/** The order of a request body on its way to the agent, where the raw suite cannot choose the turn in which things happen. */
test('a body that ends in the turn in which it is opened does not overtake what was read of it ahead', async () => {
  const source = Object.assign(new PassThrough(), { rawTrailers: [], rawHeaders: [] });
  const watcher = { bodyWanted: () => undefined, bodyCame: () => undefined, bodyUnwanted: () => undefined };
  const body = new RequestBody(source as unknown as IncomingMessage, watcher, 1024);
  body.readAhead();
  source.end('abc');
  const told: string[] = [];
  await new Promise<void>((resolve) => {
    const take = (chunk: Buffer): boolean => told.push(chunk.toString()) > 0;
    const end = (): void => {
      told.push('end');
      resolve();
    };
    source.prependListener('end', () => body.open({ take, end }));
  });
  expect(told).toEqual(['abc', 'end']);
});
