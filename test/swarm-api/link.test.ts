import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Alarm } from '../../src/ports/clock.ts';
import type { Instant } from '../../src/std/time.ts';
import type { ApiEvent } from '../../src/swarm/api.ts';
import { ApiFailure } from '../../src/swarm/api-failure.ts';
import { DockerApi } from '../../src/swarm/docker-api.ts';
import { Link } from '../../src/swarm/link.ts';
import { refusal } from '../support/api-faults.ts';
import { SimClock } from '../support/sim-clock.ts';
import { ScriptedApi, text } from './scripted-api.ts';
import { until } from './until.ts';

/** The event stream: what comes over it in which pieces, how it ends, and how it is there again. */
class WatchedClock extends SimClock {
  /** How long the link waited each time; calls have a limit of their own, which is ten seconds. */
  readonly waits: number[] = [];

  override alarm(at: Instant, ring: () => void): Alarm {
    if (at - this.now() < 10_000) this.waits.push(at - this.now());
    return super.alarm(at, ring);
  }
}

let scripted: ScriptedApi;
let clock: WatchedClock;
let link: Link;
let events: ApiEvent[];
let told: string[];
let connected: (node: string) => Promise<void>;

beforeEach(async () => {
  scripted = await new ScriptedApi().start();
  clock = new WatchedClock();
  events = [];
  told = [];
  connected = async () => undefined;
  link = new Link({
    api: new DockerApi({ socket: scripted.socket, clock }),
    clock,
    connected: (node) => connected(node),
    up: () => told.push('up'),
    down: (detail) => told.push(`down: ${detail}`),
    still: (detail) => told.push(`still: ${detail}`),
    event: (event) => events.push(event),
  });
});
afterEach(async () => {
  link.close();
  expect(clock.pending).toBe(0);
  await scripted.dispose();
});

/** Lets the next attempt begin when it is due, and resolves once it has come to something. */
async function again(): Promise<void> {
  const { length } = clock.waits;
  await clock.advance(clock.waits.at(-1) ?? 0);
  await until(() => clock.waits.length > length || link.isUp);
}

const event = (id: string): string => JSON.stringify({ Type: 'service', Action: 'update', Actor: { ID: id } });
const ids = (): readonly (string | undefined)[] => events.map(({ Actor }) => Actor?.ID);

describe('events', () => {
  beforeEach(() => link.connect());

  it('are read line by line, in whatever pieces they come', async () => {
    const bytes = Buffer.from(`${event('süß')}\n${event('b')}\n\n${event('c')}\n`);
    for (const byte of bytes) {
      scripted.say(Buffer.from([byte]));
      await turn();
    }
    await until(() => events.length === 3);
    scripted.say(`${event('d')}\n${event('e')}\n`);
    await until(() => events.length === 5);
    expect(ids()).toEqual(['süß', 'b', 'c', 'd', 'e']);
  });

  it('that cannot be read tell nothing, and those after them are read', async () => {
    scripted.say(`nonsense\nnull\n7\n"text"\n[1]\n${event('after')}\n`);
    await until(() => ids().includes('after'));
    expect(events.slice(0, -1)).toEqual(events.slice(0, -1).map(() => ({})));
    expect(told).toEqual(['up']);
  });

  it('without an end cut the stream: nothing is kept for ever', async () => {
    scripted.say('x'.repeat(2 * 1024 * 1024));
    await until(() => told.length === 2);
    expect(told[1]).toBe('down: the event stream ended: an event without an end');
  });
});

describe('the order of things', () => {
  it('F: events are subscribed to before anything is listed, so none is lost in between', async () => {
    let listing = (): void => undefined;
    connected = () => new Promise((resolve) => (listing = resolve));
    const attempt = link.connect();
    await until(() => scripted.count('events') === 1);
    scripted.say(`${event('early')}\n`);
    await until(() => events.length === 1);
    expect(told).toEqual([]);
    listing();
    await attempt;
    expect(told).toEqual(['up']);
    expect(scripted.asked.map(({ call }) => call)).toEqual(['version', 'info', 'events']);
  });

  it('asks for the kinds of events that somebody listens to, and no others', async () => {
    await link.connect();
    const { url } = scripted.asked.at(-1) ?? { url: '' };
    expect(JSON.parse(new URL(url, 'http://d').searchParams.get('filters') ?? '')).toEqual({
      type: ['service', 'node', 'container'],
      event: ['create', 'update', 'remove', 'start', 'die', 'health_status', 'pause', 'unpause'],
    });
  });
});

describe('a stream that breaks', () => {
  it.each<[string, () => void]>([
    ['is cut', () => scripted.cut()],
    ['ends', () => scripted.endStreams()],
  ])('F: is there again after a tenth of a second, when it %s', async (_how, brk) => {
    await link.connect();
    brk();
    await until(() => told.length === 2);
    expect(link.isUp).toBe(false);
    await clock.advance(99);
    expect(scripted.count('version')).toBe(1);
    await clock.advance(1);
    await until(() => link.isUp);
    expect(told).toEqual(['up', expect.stringMatching(/^down: the event stream ended/), 'up']);
  });

  it('F: is tried again after 100 ms, then twice as long each time, up to 5 s and no longer, and from 100 ms anew', async () => {
    scripted.script('info', refusal(500, 'boom'));
    await link.connect();
    for (let time = 0; time < 8; time += 1) await again();
    expect(clock.waits).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
    scripted.script('info', null);
    await clock.advance(5000);
    await until(() => link.isUp);
    scripted.cut();
    await until(() => !link.isUp);
    expect(clock.waits.at(-1)).toBe(100);
    await again();
    expect(link.isUp).toBe(true);
  });

  it('while everything is being listed does not count as up, and the late end of that listing harms nobody', async () => {
    let fail: (error: Error) => void = () => undefined;
    connected = () => new Promise((_resolve, reject) => (fail = reject));
    const first = link.connect();
    await until(() => scripted.count('events') === 1);
    await turn();
    scripted.cut();
    await until(() => told.length === 1);
    connected = async () => undefined;
    await clock.advance(100);
    await until(() => link.isUp);
    fail(new ApiFailure('away', 'no answer from Docker'));
    await first;
    expect(link.isUp).toBe(true);
    expect(told).toEqual([expect.stringMatching(/^down: /), 'up']);
  });

  it('after it was closed is let go', async () => {
    await link.connect();
    link.close();
    scripted.cut();
    await clock.advance(60_000);
    expect(told).toEqual(['up']);
    expect(scripted.count('version')).toBe(1);
  });

  it('when it was closed while it was being opened stays closed', async () => {
    scripted.script('info', async () => {
      link.close();
      return text('{"Swarm":{"NodeID":"n","LocalNodeState":"active","ControlAvailable":true}}');
    });
    await link.connect();
    expect(link.isUp).toBe(false);
    expect(told).toEqual([]);
  });
});

describe('the reason', () => {
  const swarm = (facts: Readonly<Record<string, unknown>>): void =>
    scripted.script('info', text(JSON.stringify({ Swarm: facts })));

  it.each<[Readonly<Record<string, unknown>>, string]>([
    [{ LocalNodeState: 'inactive' }, 'this Docker is not part of a Swarm: run `docker swarm init`'],
    [{ LocalNodeState: 'locked' }, 'this Swarm is locked: run `docker swarm unlock`'],
    [{ LocalNodeState: 'pending' }, 'this Docker has not joined its Swarm yet'],
    [
      { LocalNodeState: 'error', Error: 'certificate has expired' },
      'this Docker has fallen out of its Swarm: certificate has expired',
    ],
    [{ LocalNodeState: 'active', ControlAvailable: false }, 'this Docker is a worker of its Swarm: run the daemon on a manager'],
    [{}, 'this Docker is not part of a Swarm: run `docker swarm init`'],
  ])('is what the node says of itself: %j', async (facts, detail) => {
    swarm(facts);
    await link.connect();
    expect(told).toEqual([`down: ${detail}`]);
    expect(link.detail).toBe(detail);
  });

  it('is told once while it stays the same', async () => {
    swarm({ LocalNodeState: 'inactive' });
    await link.connect();
    for (let time = 0; time < 4; time += 1) await again();
    expect(told.length).toBe(1);
  });

  it('is told again once it has become another that lasts, and not while it comes and goes', async () => {
    swarm({ LocalNodeState: 'inactive' });
    await link.connect();
    swarm({ LocalNodeState: 'locked' });
    await again();
    swarm({ LocalNodeState: 'inactive' });
    await again();
    await again();
    expect(told.length).toBe(1);
    swarm({ LocalNodeState: 'locked' });
    for (let time = 0; time < 3; time += 1) await again();
    expect(told.slice(1)).toEqual(['still: this Swarm is locked: run `docker swarm unlock`']);
  });
});
