import { once } from 'node:events';
import { type RequestListener, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyReply } from 'fastify';
import { expect, it, onTestFinished } from 'vitest';
import { orderElsewhere } from '../../../agents/trooper/orders.ts';
import { KEYS } from '../../../agents/world/keys.ts';
import { MemoryBus } from '../../support/memory-bus.ts';

/** What comes of an order to a service that has said it is at `address`. */
async function ordered(address: string): Promise<unknown> {
  const bus = new MemoryBus();
  const swarm = { service: 'other', desired_replicas: 1, running_count: 1, replicas: [] };
  await bus.set(KEYS.roster('other'), JSON.stringify({ swarm, replicas_max: 20, addresses: [address] }));
  const log = { warn: () => undefined } as unknown as Parameters<typeof orderElsewhere>[0]['log'];
  const order = { service: 'other', task_id: 't' };
  return orderElsewhere({ bus, log }, '/api/outage', order, {} as FastifyReply).catch((error: unknown) => error);
}

async function serverOf(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it('an answer without an end is read no further than an answer can be long', async () => {
  let wrote = 0;
  const piece = Buffer.alloc(65_536, 'x');
  const address = await serverOf((_request, response) => {
    const write = (): void => {
      while (!response.destroyed && wrote < 1e9) {
        wrote += piece.length;
        if (!response.write(piece)) return void response.once('drain', write);
      }
    };
    write();
  });
  expect(await ordered(address)).toMatchObject({ status: 503, message: 'Docker API unavailable: other does not answer' });
  expect(wrote).toBeLessThan(50e6);
});

it('what others write down as an address leads to a host and a port, and to no path of theirs', async () => {
  let asked = 0;
  const address = await serverOf((_request, response) => {
    asked += 1;
    response.end('{}');
  });
  for (const suffix of ['/api/chat?', '#', '@127.0.0.1']) {
    expect(await ordered(`${address}${suffix}`)).toMatchObject({ status: 503, message: expect.stringContaining('nothing') });
  }
  expect(asked).toBe(0);
});
