import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { UpstreamClient } from '../../src/proxy/upstream/client.ts';
import type { Caller, ForwardOrder } from '../../src/proxy/upstream/upstream.ts';
import { Violation } from '../../src/std/assert.ts';
import { SimClock } from '../support/sim-clock.ts';
import { LIMITS } from './support/bench.ts';
import { answering, OK, RawBackend, until } from './support/raw.ts';

/** The port behind which bytes move, where the raw suite cannot see it. */
let backend: RawBackend;
let upstream: UpstreamClient;
afterEach(async () => {
  upstream.close();
  await backend.close();
});

const order = (): ForwardOrder => ({
  target: { key: 'a', address: backend.address },
  method: 'GET',
  path: '/',
  headers: [],
  host: 'kai.test',
  contentLength: null,
  body: null,
  upgrade: false,
});

const caller = (told: Partial<Caller>): Caller => ({
  informed: () => undefined,
  responded: () => undefined,
  received: () => true,
  caughtUp: () => true,
  ended: () => undefined,
  switched: () => undefined,
  failed: () => undefined,
  ...told,
});

test('law 5: a broken promise of ours is not swallowed as a fault of the agent', async () => {
  backend = await new RawBackend(answering(OK)).open();
  upstream = new UpstreamClient({ clock: new SimClock(), limits: LIMITS });
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  try {
    const crashed = once(process, 'uncaughtException');
    const responded = (): void => {
      throw new Violation('a promise');
    };
    upstream.forward(order(), caller({ responded }));
    expect((await crashed)[0]).toBeInstanceOf(Violation);
  } finally {
    for (const other of others) process.on('uncaughtException', other);
  }
});

test('after abort nothing is told any more, in whatever state it was', async () => {
  backend = await new RawBackend(() => undefined).open();
  upstream = new UpstreamClient({ clock: new SimClock(), limits: LIMITS });
  const told: string[] = [];
  const recording = caller({ responded: () => void told.push('responded'), failed: () => void told.push('failed') });
  upstream.forward(order(), recording).abort();
  const forwarding = upstream.forward(order(), recording);
  await backend.connection(0);
  await until(() => backend.received.includes('\r\n\r\n'), 'the request');
  forwarding.abort();
  for (const one of backend.connections) one.send(OK);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(told).toEqual([]);
  expect(upstream.connections).toBe(0);
});
