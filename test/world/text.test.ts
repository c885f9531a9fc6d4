import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { readRecord } from '../../agents/trooper/memory.ts';
import { KEYS } from '../../agents/world/keys.ts';
import { FakeOllama, generated } from '../support/fake-ollama.ts';
import { FakePicoclaw } from '../support/fake-picoclaw.ts';
import { isAlive } from '../support/marked-processes.ts';
import { type World, it } from './rig.ts';

const POEM = 'Boots on frozen mud\nthe radio spits and dies\nwe hold the line here';

/** Resolves to the haiku that the world's manager has written. */
async function managersHaiku({ get }: World): Promise<{ text: string; source: string; at: string }> {
  for (;;) {
    const { haiku } = (await get('/api/haiku')).json;
    if (haiku.source !== 'fallback-api') return haiku;
    await pause(50);
  }
}

async function wordsOf({ bus }: World, slot: number): Promise<{ taskId: string; text: string; source: string; at: string }> {
  for (;;) {
    const found = await readRecord(bus, 'world', slot);
    if (found !== null && found.record.words !== null) return { taskId: found.record.task_id, ...found.record.words };
    await pause(50);
  }
}

describe('the texts of a world', () => {
  it('come from the stock where no model is reachable; there is always a haiku, the same for all', async ({ world }) => {
    const here = await world({ env: { PICOCLAW_ENABLED: '1', PICOCLAW_BIN: 'no-picoclaw' } });
    const answers = await Promise.all([1, 2, 3, 4, 5, 6].map(() => here.get('/api/haiku')));
    for (const { status, json } of answers) {
      expect(status).toBe(200);
      expect(json).toMatchObject({ interval_seconds: 120, haiku: { source: expect.stringMatching(/^fallback/) } });
      expect(json.haiku.text.split('\n')).toHaveLength(3);
    }
    expect((await managersHaiku(here)).source).toBe('fallback');
    const words = await Promise.all([1, 2, 3].map((slot) => wordsOf(here, slot)));
    for (const { taskId, text, source } of words) {
      expect(source).toBe('fallback');
      expect(text).toMatch(/^[a-z-]+ [a-z-]+ [a-z-]+$/);
      expect(JSON.parse((await here.bus.get(KEYS.threeWords(taskId))) ?? '')).toMatchObject({ text, source });
    }
    expect(new Set(words.map(({ text }) => text)).size).toBe(3);
    const latest = JSON.parse((await here.bus.get(KEYS.threeWordsLatest)) ?? '').text;
    expect(words.map(({ text }) => text)).toContain(latest);
    // Said once by each, though tried for the words and for the haiku.
    const said = here.daemon.run.stdout.items.filter((line) => line.includes('there is no no-picoclaw on the PATH'));
    expect(said).toHaveLength(3);
  });

  it('come from PicoClaw where it is on the PATH, all three lines of the haiku, and the next task knows the words', async ({
    world,
  }) => {
    // Words once, so that any later ones are remembered.
    using picoclaw = new FakePicoclaw(
      `case $prompt in
      *haiku*) printf '\\n🦞 %s\\n' '${POEM}' ;;
      *) mkdir "\${0%/*}/asked" || exec sleep 1000; printf '\\n🦞 %s\\n' 'Grim, Lantern, Holds' ;;
      esac`,
    );
    const env = { PICOCLAW_ENABLED: '1', PATH: `${picoclaw.directory}:${process.env['PATH'] ?? ''}` };
    const here = await world({ replicas: 1, env });
    expect(await managersHaiku(here)).toMatchObject({ text: POEM, source: 'picoclaw' });
    const before = await wordsOf(here, 1);
    expect(before).toMatchObject({ text: 'grim lantern holds', source: 'picoclaw' });

    const headers = { authorization: here.daemon.bearerOf('world') };
    await here.daemon.admin(`/api/self/tasks/${before.taskId}?replace=true`, { method: 'DELETE', headers });
    let after = before;
    while (after.taskId === before.taskId) after = await wordsOf(here, 1);
    expect(after).toEqual({ ...before, taskId: after.taskId });
  });

  it('come from Ollama where PicoClaw has none', async ({ world }) => {
    using picoclaw = new FakePicoclaw('echo "[ERROR] no model"; exit 1');
    await using ollama = await FakeOllama.start((response, { body }) =>
      generated(response, String(body.prompt).includes('haiku') ? `Here it is:\n\n${POEM}` : 'dusty rifle waits'),
    );
    const env = { PICOCLAW_ENABLED: '1', PICOCLAW_BIN: picoclaw.program, OLLAMA_URL: ollama.url, OLLAMA_MODEL: 'tiny' };
    const here = await world({ replicas: 1, env });
    expect(await managersHaiku(here)).toMatchObject({ text: POEM, source: 'ollama' });
    expect(await wordsOf(here, 1)).toMatchObject({ text: 'dusty rifle waits', source: 'ollama' });
    expect(new Set(ollama.asked.map(({ body }) => body.model))).toEqual(new Set(['tiny']));
  });

  it('do not hold up its sleep, and leave nothing of PicoClaw running then, nor when the trooper is killed', async ({
    world,
  }) => {
    using picoclaw = new FakePicoclaw('trap "" TERM; while :; do sleep 1000; done');
    const here = await world({ replicas: 1, env: { PICOCLAW_ENABLED: '1', PICOCLAW_BIN: picoclaw.program } });
    while (picoclaw.pids.length === 0) await pause(20);
    const before = here.daemon.lastEvent;
    await here.daemon.admin('/admin/agents/world/sleep', { method: 'POST' });
    await here.daemon.event('agent.sleep', 'world', before);
    expect(picoclaw.pids.filter(isAlive)).toEqual([]);
    expect(here.daemon.run.stdout.items.filter((line) => line.includes('stop took too long'))).toEqual([]);

    const asleep = picoclaw.pids.length;
    await here.get('/api/whoami');
    while (picoclaw.pids.length === asleep) await pause(20);
    const trooper = here.daemon.home.agentProcesses().find(({ command }) => command.endsWith('agents/trooper/main.ts'));
    process.kill(trooper?.pid ?? 0, 'SIGKILL');
    while (picoclaw.pids.some(isAlive)) await pause(20);
  });

  it('cannot be read while memcached is away, and can afterwards', async ({ world }) => {
    const here = await world({ replicas: 1 });
    expect((await here.get('/api/haiku')).status).toBe(200);
    here.memcached.signal('SIGSTOP');
    const ask = () => here.daemon.call('world', '/api/haiku');
    const away = await ask().finally(() => here.memcached.signal('SIGCONT'));
    expect(away).toMatchObject({ status: 503, json: { error: 'memcached unavailable' } });
    while ((await ask()).status !== 200) await pause(50);
    expect((await managersHaiku(here)).source).toBe('fallback');
  });
});
