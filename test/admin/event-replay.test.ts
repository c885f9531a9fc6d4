import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN_TOKEN } from './support/fake-control.ts';
import { expectProblem, injected, listening } from './support/port.ts';
import { dial } from './support/raw.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A reader of the stream, and all that it was sent. */
class Reader {
  text = '';
  readonly socket: Socket;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => (this.text += chunk.toString('latin1')));
  }

  static async open(port: number, lastEventId: string | null, paused = false): Promise<Reader> {
    const reader = new Reader(await dial(port));
    if (paused) reader.socket.pause();
    const wish = lastEventId === null ? '' : `last-event-id: ${lastEventId}\r\n`;
    reader.socket.write(`GET /admin/events HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${ADMIN_TOKEN}\r\n${wish}\r\n`);
    return reader;
  }

  /** Id, type and, of what is missing, the ids, in the order they came. */
  get told(): readonly string[] {
    return [...this.text.matchAll(/^id: (\d+)\nevent: (\S+)\ndata: (.*)\n\n/gm)].map(([, id, type, data]) => {
      const { from, to } = JSON.parse(data ?? '') as { readonly from?: number | string; readonly to?: number | string };
      return type === 'missing' ? `${id} missing ${from}-${to}` : `${id} ${type}`;
    });
  }

  async until(wanted: string): Promise<void> {
    while (!this.text.includes(wanted)) await turn();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.socket.destroy();
    await closed;
  }
}

describe('the event stream, for a reader who comes back', () => {
  let port: Awaited<ReturnType<typeof listening>>;
  beforeEach(async () => {
    port = await listening();
  });
  afterEach(async () => {
    await port.close();
    expect(port.control.readers.size, 'no reader is left behind').toBe(0);
    expect(port.clock.pending, 'no alarm is left behind').toBe(0);
  });

  const happen = (count: number, filler = ''): void => {
    for (let each = 0; each < count; each += 1) port.control.publish('agent.ready', 'kai', filler === '' ? {} : { filler });
  };

  it('tells again what came after the id that it names, and goes on from there', async () => {
    happen(5);
    const reader = await Reader.open(port.port, '3');
    await reader.until('id: 5\nevent');
    happen(2);
    await reader.until('id: 7\nevent');
    expect(reader.told).toEqual(['4 agent.ready', '5 agent.ready', '6 agent.ready', '7 agent.ready']);
    await reader.close();
  });

  it('tells everything to who names 0, and nothing again to who names none', async () => {
    happen(2);
    const all = await Reader.open(port.port, '0');
    await all.until('id: 2\nevent');
    const fresh = await Reader.open(port.port, null);
    const empty = await Reader.open(port.port, '');
    await Promise.all([fresh.until('id: 2\n\n'), empty.until('id: 2\n\n')]);
    happen(1);
    await Promise.all([all, fresh, empty].map((reader) => reader.until('id: 3\nevent')));
    expect(all.told).toEqual(['1 agent.ready', '2 agent.ready', '3 agent.ready']);
    expect([fresh.told, empty.told]).toEqual([['3 agent.ready'], ['3 agent.ready']]);
    await Promise.all([all, fresh, empty].map((reader) => reader.close()));
  });

  it('gives every reader an id to come back with, before anything has happened', async () => {
    const reader = await Reader.open(port.port, null);
    await reader.until('id: 0\n\n');
    expect(reader.told).toEqual([]);
    await reader.close();
  });

  it('has no hole and no double between what is told again and what happens meanwhile, however slowly it is read', async () => {
    const filler = 'x'.repeat(20_000);
    happen(400, filler);
    const reader = await Reader.open(port.port, '10', true);
    while (port.control.readers.size === 0) await turn();
    // The kernel holds some megabytes, and then it is our turn to wait. Meanwhile things happen.
    for (let each = 0; each < 50; each += 1) {
      happen(2, filler);
      await turn();
    }
    expect(port.control.readers.size, 'it is not dropped for what it was not sent').toBe(1);
    reader.socket.resume();
    await reader.until('id: 500\nevent');
    happen(1);
    await reader.until('id: 501\nevent');
    expect(reader.told).toEqual(Array.from({ length: 491 }, (_, index) => `${index + 11} agent.ready`));
    await reader.close();
  });

  it('is dropped when it takes nothing of what it asked for in 30 s', async () => {
    happen(600, 'x'.repeat(20_000));
    const reader = await Reader.open(port.port, '0', true);
    while (port.clock.pending < 2) await turn();
    await port.clock.advance(29_999);
    expect(port.control.readers.size).toBe(1);
    await port.clock.advance(1);
    expect(port.control.readers.size).toBe(0);
    expect(port.log.lines.map(({ message }) => message)).toContain('a slow event reader was dropped');
    await reader.close();
    while (port.clock.pending > 0) await turn();
  });

  it('says which events are not kept any more, at the beginning, in between and at the end', async () => {
    happen(9);
    port.control.events = port.control.events.filter(({ id }) => ![1, 2, 3, 6, 7, 9].includes(id));
    const reader = await Reader.open(port.port, '1');
    await reader.until('id: 9\n');
    happen(1);
    await reader.until('id: 10\n');
    expect(reader.told).toEqual([
      '3 missing 2-3',
      '4 agent.ready',
      '5 agent.ready',
      '7 missing 6-7',
      '8 agent.ready',
      '9 missing 9-9',
      '10 agent.ready',
    ]);
    await reader.close();
  });

  it('says so when the id is newer than any event, and tells from now on', async () => {
    happen(2);
    const reader = await Reader.open(port.port, '5');
    await reader.until('id: 2\n\n');
    happen(1);
    await reader.until('id: 3\nevent');
    expect(reader.told).toEqual(['2 missing 1-2', '3 agent.ready']);
    expect(reader.text).toContain('the numbers were begun anew');
    await reader.close();
  });

  it('refuses what is no id', async () => {
    const port = await injected();
    for (const id of ['-1', 'abc', '1.5', '1, 2', '9'.repeat(16)]) {
      const answer = await port.ask('GET', '/admin/events', { headers: { 'last-event-id': id } });
      expect(expectProblem(answer, 'bad-request')).toContain('last-event-id');
    }
    await port.app.close();
  });
});
