import { describe, expect, it } from 'vitest';
import { vacant } from '../../../agents/trooper/memory.ts';
import { fallbackHaiku } from '../../../agents/trooper/text/fallback.ts';
import { type Poet, isDue, readHaiku, writeHaiku } from '../../../agents/trooper/text/haiku.ts';
import { type Speaking, writeWords } from '../../../agents/trooper/text/words.ts';
import { type Writer, HAIKU, THREE_WORDS, createWriter } from '../../../agents/trooper/text/writer.ts';
import { BusError } from '../../../agents/world/bus-error.ts';
import { KEYS } from '../../../agents/world/keys.ts';
import type { GeneratedText, TrooperRecord } from '../../../agents/world/values.ts';
import { FakeOllama, generated } from '../../support/fake-ollama.ts';
import { FakePicoclaw } from '../../support/fake-picoclaw.ts';
import { MemoryBus } from '../../support/memory-bus.ts';

const never = new AbortController().signal;
const NOW = Date.parse('2026-01-01T00:00:00Z');
const POEM = 'Boots on frozen mud\nthe radio spits and dies\nwe hold the line here';
const text = (source: GeneratedText['source'], at = NOW): GeneratedText => ({
  text: POEM,
  source,
  at: new Date(at).toISOString(),
});

/** Writes the same each time, and does `meanwhile` while it writes. */
const writing = (written: GeneratedText | null, meanwhile: () => unknown = () => undefined): Writer & { asked: number } => ({
  asked: 0,
  async write() {
    this.asked += 1;
    await meanwhile();
    return written;
  },
});

class RecordingLog {
  readonly lines: unknown[] = [];
  info = (facts: unknown): void => void this.lines.push(facts);
}

describe('the writer', () => {
  const sources = (picoclaw: FakePicoclaw | null, ollama: FakeOllama | null) => ({
    picoclaw: picoclaw?.program ?? null,
    ollama: ollama === null ? null : { url: ollama.url, model: 'smollm2:135m' },
  });

  it('asks PicoClaw first, then Ollama, then its stock, and says which it was', async () => {
    using picoclaw = FakePicoclaw.answering('Grim Lantern Holds', POEM);
    using mute = new FakePicoclaw('exit 1');
    await using ollama = await FakeOllama.start((response, { body }) =>
      generated(response, String(body.prompt).includes('haiku') ? POEM : 'dusty rifle waits'),
    );
    await using broken = await FakeOllama.start((response) => response.writeHead(500).end());
    const written = async (...[one, other]: Parameters<typeof sources>) => {
      const writer = createWriter(sources(one, other), 'task-1', new RecordingLog());
      const texts = await Promise.all([writer.write(THREE_WORDS, never), writer.write(HAIKU, never)]);
      return texts.map((each) => [each?.source, each?.text]);
    };
    expect(await written(picoclaw, ollama)).toEqual([
      ['picoclaw', 'grim lantern holds'],
      ['picoclaw', POEM],
    ]);
    expect(ollama.asked).toEqual([]);
    for (const first of [null, mute]) {
      expect(await written(first, ollama)).toEqual([
        ['ollama', 'dusty rifle waits'],
        ['ollama', POEM],
      ]);
    }
    expect((await written(mute, broken)).map(([source]) => source)).toEqual(['fallback', 'fallback']);
    expect((await written(null, null)).map(([source]) => source)).toEqual(['fallback', 'fallback']);
  });

  it('never has two models at work, and gives no text when the trooper stops', async () => {
    using picoclaw = new FakePicoclaw(
      'mkdir "${0%/*}/busy" || touch "${0%/*}/twice"; sleep 0.05; rmdir "${0%/*}/busy"; echo one two three',
    );
    const writer = createWriter(sources(picoclaw, null), 'task-1', new RecordingLog());
    await Promise.all([1, 2, 3].map(() => writer.write(THREE_WORDS, never)));
    expect(picoclaw.pids).toHaveLength(3);
    expect(() => picoclaw.wrote('twice')).toThrow('ENOENT');
    expect(await writer.write(THREE_WORDS, AbortSignal.abort())).toBeNull();
    expect(picoclaw.pids).toHaveLength(3);
  });

  it('says why a source has no text once, and once that it works again, and never what it wrote', async () => {
    const log = new RecordingLog();
    await using ollama = await FakeOllama.start((response) => response.writeHead(500).end());
    const settings = { picoclaw: '/nowhere/picoclaw', ollama: { url: ollama.url, model: 'm' } };
    const writer = createWriter(settings, 'task-1', log);
    const answers: FakeOllama['answer'][] = [
      ollama.answer,
      ollama.answer,
      (response) => generated(response, '<script>rude</script>'),
      (response) => generated(response, 'one two three'),
      (response) => generated(response, 'one two three'),
    ];
    for (const answer of answers) {
      ollama.answer = answer;
      await writer.write(THREE_WORDS, never);
    }
    expect(log.lines).toEqual([
      { source: 'picoclaw', reason: 'there is no /nowhere/picoclaw on the PATH' },
      { source: 'ollama', reason: 'it answers 500' },
      { source: 'ollama', reason: 'what it wrote is not what was asked for' },
      { source: 'ollama' },
    ]);
  });
});

describe('three words of a trooper', () => {
  const words = { ...text('ollama'), text: 'dusty rifle waits' };
  const own: TrooperRecord = { ...vacant('task-1'), trooper: 'bob', score: 7 };
  const speaking = (bus: MemoryBus): Speaking => ({ bus, slot: 1, taskId: 'task-1', settings: { service: 'world' } as never });
  const busWith = async (record: TrooperRecord | null): Promise<MemoryBus> => {
    const bus = new MemoryBus();
    if (record !== null) await bus.set(KEYS.trooper('world', 1), JSON.stringify(record));
    return bus;
  };

  it('go into its record, which they change in nothing else, and into the views of it', async () => {
    const bus = await busWith(own);
    expect(await writeWords(speaking(bus), writing(words), never)).toBe(true);
    expect(JSON.parse((await bus.get(KEYS.trooper('world', 1))) ?? '')).toEqual({ ...own, words });
    for (const key of [KEYS.threeWords('task-1'), KEYS.threeWordsLatest]) {
      expect(JSON.parse((await bus.get(key)) ?? '')).toEqual(words);
    }
  });

  it.each<[string, TrooperRecord | null]>([
    ['it has no seat yet', null],
    ['its seat is vacant', vacant('task-1')],
    ['another task has its seat', { ...own, task_id: 'task-2' }],
    ['it is leaving', { ...own, departing: 'snapshot' }],
    ['it is changing its seat', { ...own, move: { from: 1, to: 2 } }],
  ])('are not asked for while %s, and those that come too late are dropped', async (_name, record) => {
    const bus = await busWith(record);
    const writer = writing(words);
    expect(await writeWords(speaking(bus), writer, never)).toBe(false);
    expect(writer.asked).toBe(0);

    const late = await busWith(own);
    const change = (): Promise<unknown> =>
      record === null ? late.delete(KEYS.trooper('world', 1)) : late.set(KEYS.trooper('world', 1), JSON.stringify(record));
    expect(await writeWords(speaking(late), writing(words, change), never)).toBe(false);
    expect(await late.get(KEYS.trooper('world', 1))).toBe(record === null ? null : JSON.stringify(record));
    expect([await late.get(KEYS.threeWords('task-1')), await late.get(KEYS.threeWordsLatest)]).toEqual([null, null]);
  });

  it('are not written when the trooper stops', async () => {
    const bus = await busWith(own);
    expect(await writeWords(speaking(bus), writing(null), never)).toBe(false);
    expect(JSON.parse((await bus.get(KEYS.trooper('world', 1))) ?? '')).toEqual(own);
  });
});

describe('the haiku', () => {
  const poet = (bus: MemoryBus, manager: () => string | null = () => 'task-1'): Poet => ({
    bus,
    taskId: 'task-1',
    daemon: {} as never,
    squad: { manager: async () => manager() },
  });

  it('is written by the task that manages, and by no other', async () => {
    const bus = new MemoryBus();
    expect(
      await writeHaiku(
        poet(bus, () => 'task-2'),
        writing(text('ollama')),
        never,
      ),
    ).toBe(false);
    expect(
      await writeHaiku(
        poet(bus, () => null),
        writing(text('ollama')),
        never,
      ),
    ).toBe(false);
    expect(bus.values.size).toBe(0);
    expect(await writeHaiku(poet(bus), writing(text('ollama')), never)).toBe(true);
    expect(JSON.parse((await bus.get(KEYS.haiku)) ?? '')).toEqual(text('ollama'));
  });

  it('is not written again by a new one while it is younger than two minutes, nor by one that manages no more', async () => {
    const bus = new MemoryBus();
    const young = JSON.stringify(text('fallback', Date.now() - 60_000));
    await bus.set(KEYS.haiku, young);
    const writer = writing(text('ollama'));
    expect(await writeHaiku(poet(bus), writer, never)).toBe(false);
    expect(writer.asked).toBe(0);

    await bus.delete(KEYS.haiku);
    let manager = 'task-1';
    const replaced = writing(text('ollama'), () => (manager = 'task-2'));
    expect(
      await writeHaiku(
        poet(bus, () => manager),
        replaced,
        never,
      ),
    ).toBe(false);
    const overtaken = writing(text('ollama'), () => bus.set(KEYS.haiku, young));
    expect(await writeHaiku(poet(bus), overtaken, never)).toBe(false);
    expect(await bus.get(KEYS.haiku)).toBe(young);
  });

  it.each<[boolean, string, GeneratedText | null]>([
    [true, 'there is none', null],
    [false, 'there is one of this second', text('fallback')],
    [false, 'there is one of 119 s ago', text('ollama', NOW - 119_000)],
    [true, 'there is one of 120 s ago', text('ollama', NOW - 120_000)],
    [true, 'there is one that a reader wrote for want of one', text('fallback-api')],
    [false, 'its writer has a clock that is ahead by a minute', text('ollama', NOW + 60_000)],
    [true, 'its writer has a clock that is ahead by an hour', text('ollama', NOW + 3_600_000)],
    [true, 'its time is no time', { ...text('ollama'), at: 'soon' }],
  ])('is due (%s) where %s', (due, _name, haiku) => {
    expect(isDue(haiku, NOW)).toBe(due);
  });

  it('is never missing for whoever reads: one of the stock takes its place for all of them', async () => {
    const bus = new MemoryBus();
    const [first, second] = await Promise.all([readHaiku({ bus, taskId: 'task-1' }), readHaiku({ bus, taskId: 'task-2' })]);
    expect(first).toMatchObject({ interval_seconds: 120, haiku: { source: 'fallback-api' } });
    expect(second).toEqual(first);
    expect(first.haiku?.text.split('\n')).toHaveLength(3);
    const round = Math.floor(Date.parse(first.haiku?.at ?? '') / 120_000);
    expect(['task-1', 'task-2'].map((taskId) => fallbackHaiku(taskId, round))).toContain(first.haiku?.text);
  });

  it('is read as it was written; what is no haiku stays where it is, and the stock is read', async () => {
    const bus = new MemoryBus();
    await bus.set(KEYS.haiku, JSON.stringify(text('picoclaw')));
    expect((await readHaiku({ bus, taskId: 'task-1' })).haiku).toEqual(text('picoclaw'));
    for (const other of ['no JSON', '{"text":7}', JSON.stringify({ ...text('ollama'), text: 'x'.repeat(501) })]) {
      await bus.set(KEYS.haiku, other);
      expect((await readHaiku({ bus, taskId: 'task-1' })).haiku?.source).toBe('fallback-api');
      expect(await bus.get(KEYS.haiku)).toBe(other);
      expect(await writeHaiku(poet(bus), writing(text('ollama')), never)).toBe(true);
    }
  });

  it('cannot be read from a bus that is away', async () => {
    const bus = new MemoryBus();
    bus.get = () => Promise.reject(new BusError('away'));
    await expect(readHaiku({ bus, taskId: 'task-1' })).rejects.toThrow(BusError);
  });
});
