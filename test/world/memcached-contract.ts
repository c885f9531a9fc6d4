import { describe, expect, it as plainIt } from 'vitest';
import { BusError } from '../../agents/world/bus-error.ts';
import { type Bus, type BusPlace, connectBus } from '../../agents/world/bus.ts';
import { appendTo, parseList } from '../../agents/world/lists.ts';
import { RawClient } from '../support/raw-client.ts';

/** A server under the contract. Its memory is empty, or at least holds none of the keys used here. */
export interface Contracted extends AsyncDisposable {
  readonly place: BusPlace;
}

/** What the world may expect of whatever stands at its bus, told the same way of memcached and of membus. */
export function describeMemcached(name: string, start: () => Promise<Contracted>): void {
  const it = plainIt
    .extend<{ place: BusPlace }>({
      place: [
        async ({}, use) => {
          await using server = await start();
          await use(server.place);
        },
        { scope: 'file' },
      ],
    })
    .extend<{ bus: Bus; raw: RawClient }>({
      bus: async ({ place }, use) => {
        const bus = connectBus(place);
        await use(bus);
        bus.close();
      },
      raw: async ({ place }, use) => {
        await using raw = await RawClient.open(place);
        raw.send('flush_all\r\n');
        await raw.until(() => raw.received === 'OK\r\n');
        raw.discard();
        await use(raw);
      },
    });

  describe(`${name}, through the client of the world`, () => {
    it('keeps text until it is replaced or deleted, and tells nothing from empty', async ({ bus }) => {
      expect(await bus.get('text')).toBeNull();
      await bus.set('text', 'ä → 漢字\r\nEND\r\n', 0);
      expect(await bus.get('text')).toBe('ä → 漢字\r\nEND\r\n');
      await bus.set('text', '', 60);
      expect(await bus.get('text')).toBe('');
      expect([await bus.delete('text'), await bus.delete('text')]).toEqual([true, false]);
      expect(await bus.get('text')).toBeNull();
    });

    it('gives many at once, and leaves out what is not there', async ({ bus }) => {
      const keys = Array.from({ length: 200 }, (_, index) => `many:${index}:${'k'.repeat(100)}`);
      await Promise.all(keys.filter((_, index) => index % 2 === 0).map((key) => bus.set(key, key, 0)));
      const found = await bus.getMany(keys);
      expect([...found]).toEqual(keys.filter((_, index) => index % 2 === 0).map((key) => [key, key]));
    });

    it('adds only where nothing is, and compares before it sets', async ({ bus }) => {
      expect(await bus.gets('cas')).toBeNull();
      expect([await bus.add('cas', '1', 0), await bus.add('cas', '2', 0)]).toEqual([true, false]);
      const found = await bus.gets('cas');
      expect(found!.value).toBe('1');
      expect(await bus.cas('cas', '3', 0, found!.version)).toBe(true);
      expect(await bus.cas('cas', '4', 0, found!.version)).toBe(false);
      expect(await bus.cas('cas:none', '4', 0, found!.version)).toBe(false);
      expect(await bus.get('cas')).toBe('3');
    });

    it('a deleted and added value has another version, whatever it holds', async ({ bus }) => {
      await bus.set('aba', '1', 0);
      const { version } = (await bus.gets('aba'))!;
      await bus.delete('aba');
      await bus.add('aba', '1', 0);
      expect(await bus.cas('aba', '2', 0, version)).toBe(false);
    });

    it('counts, each of a hundred at once', async ({ place, bus }) => {
      const other = connectBus(place);
      const sums = await Promise.all(Array.from({ length: 100 }, (_, index) => (index % 2 ? bus : other).increment('sum', 2, 2)));
      expect(sums.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => 2 * (index + 1)));
      await bus.set('sum', 'x', 0);
      await expect(bus.increment('sum', 1, 1)).rejects.toThrow(BusError);
      other.close();
    });

    it('forgets what its time is over for, and nothing before', async ({ bus }) => {
      await Promise.all([bus.set('brief', 'x', 2), bus.set('long', 'x', 3600), bus.set('longest', 'x', 30 * 86_400)]);
      expect(await bus.get('brief')).toBe('x');
      await expect.poll(() => bus.get('brief'), { timeout: 120_000 }).toBeNull();
      expect(await bus.getMany(['brief', 'long', 'longest'])).toEqual(
        new Map([
          ['long', 'x'],
          ['longest', 'x'],
        ]),
      );
    });

    it('takes values up to a megabyte, refuses larger ones, and goes on', async ({ bus }) => {
      const large = 'x'.repeat(1_000_000);
      await bus.set('large', large, 0);
      expect(await bus.get('large')).toBe(large);
      await expect(bus.set('large', `${large}${large}`, 0)).rejects.toThrow('SERVER_ERROR object too large for cache');
      // What is there no longer cannot be taken for what was to be stored.
      expect(await bus.get('large')).toBeNull();
    });

    it('fifty appends at once through five connections: each once, in one order for every reader', async ({ place, bus }) => {
      const others = [0, 1, 2, 3, 4].map(() => connectBus(place));
      await Promise.all(Array.from({ length: 50 }, (_, id) => appendTo(others[id % 5]!, 'list', { id: String(id) }, 40, 60)));
      const lists = await Promise.all(others.map(async (other) => parseList(await other.get('list'))));
      for (const list of lists) expect(list).toEqual(lists[0]);
      expect(new Set(lists[0]!.map((entry) => (entry as { id: string }).id)).size).toBe(40);
      for (const other of [...others, bus]) other.close();
    });
  });

  describe(`${name}, byte for byte`, () => {
    const k250 = 'k'.repeat(250);
    const k251 = 'k'.repeat(251);
    const line = 'CLIENT_ERROR bad command line format\r\n';
    const chunk = 'CLIENT_ERROR bad data chunk\r\n';
    const number = 'CLIENT_ERROR cannot increment or decrement non-numeric value\r\n';
    const delta = 'CLIENT_ERROR invalid numeric delta argument\r\n';
    const a = (flags: number, value: string): string => `VALUE a ${flags} ${value.length}\r\n${value}\r\nEND\r\n`;
    const set = (value: string, flags = 0): string => `set a ${flags} 0 ${value.length}\r\n${value}\r\n`;

    /** What is sent on one connection to an empty server, and all that is said to it. */
    const exchanges: Readonly<Record<string, readonly (readonly [sent: string, said: string])[]>> = {
      'knows no empty line, no unknown word and no capitals': [
        ['\r\n', 'ERROR\r\n'],
        [' \r\n', 'ERROR\r\n'],
        ['nonsense a b\r\n', 'ERROR\r\n'],
        ['GET a\r\n', 'ERROR\r\n'],
        ['get\r\ngets\r\nset\r\nset a 0 0\r\ndelete\r\nincr a\r\ntouch a\r\ncas a 0 0 1\r\n', 'ERROR\r\n'.repeat(8)],
      ],
      'takes a lone newline for the end of a line, but not of a value, and any number of spaces': [
        [' set  a 3 0   1\nx\r\nget a\n', `STORED\r\n${a(3, 'x')}`],
        ['set a 0 0 1\r\ny\nget a\r\n', `${chunk}ERROR\r\n`],
      ],
      'keeps any bytes, flags of 32 bits and keys of 250 bytes': [
        [`${set('\0\r\n\xff\r\nEND\r\n', 4294967295)}get a\r\n`, `STORED\r\n${a(4294967295, '\0\r\n\xff\r\nEND\r\n')}`],
        [`${set('')}get a\r\n`, `STORED\r\n${a(0, '')}`],
        [`set ${k250} 1 0 1\r\nx\r\nget ${k250}\r\n`, `STORED\r\nVALUE ${k250} 1 1\r\nx\r\nEND\r\n`],
        [`get ${k251}\r\n`, line],
        [`get a ${k251}\r\n`, line],
        [`delete ${k251}\r\nincr ${k251} 1\r\ntouch ${k251} 1\r\n`, line.repeat(3)],
        [`set ${k251} 0 0 1\r\nx\r\n`, `${line}ERROR\r\n`],
      ],
      'answers several keys in their order, each as often as it is asked for': [
        [
          `${set('1')}set b 0 0 1\r\n2\r\nget b c a b\r\n`,
          'STORED\r\nSTORED\r\nVALUE b 0 1\r\n2\r\nVALUE a 0 1\r\n1\r\nVALUE b 0 1\r\n2\r\nEND\r\n',
        ],
      ],
      'stores, adds, replaces, appends and prepends, each under its own condition': [
        ['replace a 0 0 1\r\nx\r\nappend a 0 0 1\r\nx\r\nprepend a 0 0 1\r\nx\r\n', 'NOT_STORED\r\n'.repeat(3)],
        ['add a 7 0 1\r\nm\r\nadd a 0 0 1\r\nx\r\n', 'STORED\r\nNOT_STORED\r\n'],
        ['append a 9 0 1\r\nz\r\nprepend a 9 -1 1\r\na\r\nget a\r\n', `STORED\r\nSTORED\r\n${a(7, 'amz')}`],
        ['replace a 1 0 1\r\nr\r\nget a\r\n', `STORED\r\n${a(1, 'r')}`],
      ],
      'compares before it sets': [
        ['cas a 0 0 1 1\r\nx\r\n', 'NOT_FOUND\r\n'],
        [`${set('x')}cas a 0 0 1 18446744073709551615\r\ny\r\nget a\r\n`, `STORED\r\nEXISTS\r\n${a(0, 'x')}`],
        ['cas a 0 0 1 x\r\ny\r\ncas a 0 0 1 18446744073709551616\r\nz\r\n', `${line}ERROR\r\n${line}ERROR\r\n`],
      ],
      'says nothing to noreply, not even what went wrong': [
        ['set a 0 0 1 noreply\r\n1\r\nadd a 0 0 1 noreply\r\n2\r\nget a\r\n', a(0, '1')],
        ['incr a 5 noreply\r\ndecr a 1 noreply\r\ntouch a 0 noreply\r\nappend a 0 0 1 noreply\r\nx\r\nget a\r\n', a(0, '5x')],
        ['incr a 1 noreply\r\ncas a 0 0 1 1 noreply\r\ny\r\nget a\r\n', a(0, '5x')],
        [`delete ${k251} noreply\r\ndelete a noreply\r\nget a\r\n`, 'END\r\n'],
        [`set ${k251} 0 0 1 noreply\r\nz\r\nset a 0 0 1 noreply\r\nzz\r\n`, 'ERROR\r\nERROR\r\n'],
        ['verbosity 1 noreply\r\nflush_all noreply\r\ndelete noreply\r\n', 'NOT_FOUND\r\n'],
      ],
      'counts in 64 bits, over the top and not below nothing, and keeps the length': [
        [`${set('10', 7)}incr a 5\r\ndecr a 6\r\nget a\r\n`, `STORED\r\n15\r\n9\r\n${a(7, '9 ')}`],
        ['incr a 99\r\nget a\r\ndecr a 1000\r\nget a\r\n', `108\r\n${a(7, '108')}0\r\n${a(7, '0  ')}`],
        [`${set('18446744073709551615')}incr a 1\r\n`, 'STORED\r\n0\r\n'],
        [`${set('5')}incr a 18446744073709551615\r\n`, 'STORED\r\n4\r\n'],
        ['incr b 1\r\ndecr b 1\r\n', 'NOT_FOUND\r\nNOT_FOUND\r\n'],
        ['incr a -1\r\nincr a x\r\nincr a 18446744073709551616\r\n', delta.repeat(3)],
        [
          ['x', '', '-1', '1.5', '18446744073709551616'].map((text) => `${set(text)}incr a 1\r\n`).join(''),
          `STORED\r\n${number}`.repeat(5),
        ],
      ],
      'touches, deletes and flushes what is there': [
        ['touch a 0\r\ndelete a\r\n', 'NOT_FOUND\r\nNOT_FOUND\r\n'],
        [
          `${set('x', 2)}touch a 100\r\nget a\r\ntouch a x\r\n`,
          `STORED\r\nTOUCHED\r\n${a(2, 'x')}CLIENT_ERROR invalid exptime argument\r\n`,
        ],
        ['touch a -1\r\nget a\r\ndelete a\r\n', 'TOUCHED\r\nEND\r\nNOT_FOUND\r\n'],
        [`${set('x')}delete a 0\r\ndelete a 1\r\n`, `STORED\r\nDELETED\r\n${line.trim()}.  Usage: delete <key> [noreply]\r\n`],
        [`${set('x')}flush_all\r\nget a\r\n${set('y')}get a\r\n`, `STORED\r\nOK\r\nEND\r\nSTORED\r\n${a(0, 'y')}`],
        ['verbosity 1\r\nverbosity\r\nstats nonsense\r\n', 'OK\r\nERROR\r\nERROR\r\n'],
      ],
      'takes an exptime for seconds up to 30 days, for a date above, and for over below nothing': [
        ['set a 0 2592000 1\r\nx\r\nget a\r\n', `STORED\r\n${a(0, 'x')}`],
        ['set a 0 2592001 1\r\nx\r\nget a\r\n', 'STORED\r\nEND\r\n'],
        [`set a 0 ${Math.floor(Date.now() / 1000) + 3600} 1\r\nx\r\nget a\r\n`, `STORED\r\n${a(0, 'x')}`],
        [`touch a ${Math.floor(Date.now() / 1000) - 3600}\r\nget a\r\n`, 'TOUCHED\r\nEND\r\n'],
        ['set a 0 -1 1\r\nx\r\nget a\r\nadd a 0 0 1\r\ny\r\nget a\r\n', `STORED\r\nEND\r\nSTORED\r\n${a(0, 'y')}`],
      ],
      'takes what follows a wrong line for the next one, and what follows a wrong value too': [
        ['set a x 0 1\r\nz\r\n', `${line}ERROR\r\n`],
        ['set a 0 x 1\r\nz\r\n', `${line}ERROR\r\n`],
        ['set a -1 0 1\r\nz\r\n', `${line}ERROR\r\n`],
        ['set a 0 0 -1\r\nset a 0 0 x\r\nset a 0 0 2147483647\r\n', line.repeat(3)],
        ['set a 0 0 1 2 3 4\r\nz\r\n', 'ERROR\r\nERROR\r\n'],
        [`${set('x')}set a 0 0 1\r\nzz\r\nget a\r\n`, `STORED\r\n${chunk}ERROR\r\n${a(0, 'x')}`],
        ['set a 0 0 3\r\nz\r\nget a\r\n', `${chunk}ERROR\r\n`],
      ],
      'swallows a value that is too large; only set forgets the old one for it': [
        ...['add', 'replace', 'append', 'prepend'].map(
          (verb) =>
            [
              `${set('x')}${verb} a 0 0 1048576\r\n${'get a\r\n'.padEnd(1048576)}\r\nget a\r\n`,
              `STORED\r\nSERVER_ERROR object too large for cache\r\n${a(0, 'x')}`,
            ] as const,
        ),
        [`set a 0 0 3000000\r\n${'y'.repeat(3_000_000)}\r\nget a\r\n`, 'SERVER_ERROR object too large for cache\r\nEND\r\n'],
        [`${set('x')}set a 0 0 1048576 noreply\r\n${'y'.repeat(1048576)}\r\nget a\r\n`, 'STORED\r\nEND\r\n'],
        [
          `set a 0 0 1000000\r\n${'x'.repeat(1_000_000)}\r\nappend a 0 0 100000\r\n${'y'.repeat(100_000)}\r\ntouch a 0\r\n`,
          'STORED\r\nNOT_STORED\r\nTOUCHED\r\n',
        ],
      ],
    };
    for (const [title, steps] of Object.entries(exchanges)) {
      it(title, async ({ raw }) => {
        for (const [sent, said] of steps) expect(await raw.ask(sent), JSON.stringify(sent.slice(0, 200))).toBe(said);
      });
    }

    it('gives every stored value a unique of its own, and a touched one none', async ({ raw }) => {
      const seen: string[] = [];
      for (const change of [
        set('1'),
        'touch a 0\r\n',
        'append a 0 0 1\r\n0\r\n',
        'incr a 1\r\n',
        set('1'),
        `delete a\r\n${set('1')}`,
      ]) {
        seen.push(/ (\d+)\r\n/.exec(await raw.ask(`${change}gets a\r\n`))![1]!);
      }
      expect(seen[0]).toBe(seen[1]);
      expect(new Set(seen).size).toBe(seen.length - 1);
      expect(await raw.ask(`cas a 0 0 1 ${seen.at(-1)!}\r\n2\r\ncas a 0 0 1 ${seen.at(-1)!}\r\n3\r\nget a\r\n`)).toBe(
        `STORED\r\nEXISTS\r\n${a(0, '2')}`,
      );
    });

    it('answers a thousand commands that were sent before the first answer, in their order', async ({ raw }) => {
      const count = 1000;
      const sent = Array.from(
        { length: count },
        (_, index) => `set k${index} 0 0 4\r\n${String(index).padStart(4, '0')}\r\nget k${index}\r\n`,
      );
      const said = Array.from(
        { length: count },
        (_, index) => `STORED\r\nVALUE k${index} 0 4\r\n${String(index).padStart(4, '0')}\r\nEND\r\n`,
      );
      expect(await raw.ask(sent.join(''))).toBe(said.join(''));
    });

    it('puts together what arrives byte by byte', async ({ raw }) => {
      for (const byte of `set a 5 0 6\r\nx\r\ny\r\n\r\nget a\r\n`) {
        raw.send(byte);
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(await raw.ask('')).toBe(`STORED\r\n${a(5, 'x\r\ny\r\n')}`);
    });

    it('tells what it counts, and says which it is', async ({ raw }) => {
      expect(await raw.ask(`${set('x')}stats\r\n`)).toMatch(/^STORED\r\n(STAT [a-z_]+ \S+\r\n)+END\r\n$/);
      raw.send('version\r\n');
      await raw.until(() => /^VERSION \S+\r\n$/.test(raw.received));
    });

    it('ends the connection after quit, and one whose line does not end', async ({ place, raw }) => {
      raw.send(`${set('x')}quit\r\nget a\r\n`);
      expect(await raw.untilClosed()).toBe('STORED\r\n');
      await using other = await RawClient.open(place);
      other.send('x'.repeat(3000));
      expect(await other.untilClosed()).not.toContain('ERROR ERROR');
    });
  });
}
