import { describe, expect } from 'vitest';
import { changeRecord } from '../../agents/trooper/memory.ts';
import { KEYS, TTL } from '../../agents/world/keys.ts';
import { button, it, panel, report, shows, tileIn, tiles, untilCount } from './rig.ts';

const MARKUP = '<img src=x onerror="alert(1)"> <script>alert(2)</script> & <b>bold</b>';

describe('the page of a world', () => {
  it('shows what is said as text, newest first, whatever it looks like', async ({ world, look }) => {
    const { daemon, get, post } = await world();
    const page = await look(daemon);
    const conversation = panel(page, 'Conversation');
    const box = conversation.getByLabel('Say something');
    await box.fill(MARKUP);
    await shows(conversation, `${MARKUP.length}/280`);
    await button(conversation, 'Send').click();
    await shows(conversation.getByRole('listitem'), MARKUP);
    expect(await box.inputValue()).toBe('');
    for (let number = 1; number <= 12; number += 1) await post('/api/chat', { text: `line ${number}` });
    await shows(conversation.getByRole('listitem').first(), 'line 12');
    expect(await conversation.getByRole('listitem').count()).toBe(12);
    expect((await get('/api/chat')).json.messages).toHaveLength(13);
    expect(await page.locator('main :is(img, script, b)').count()).toBe(0);

    await box.press('Enter');
    await shows(conversation, 'Refused: text is required');
    await shows(report(page), 'Not carried out: text is required');
  });

  it('shows what models write as text: words, poems and the names of racks', async ({ world, look }) => {
    const { daemon, bus } = await world();
    const page = await look(daemon);
    // Its own first, or they would take the place of those below; it writes none for 30 s after that.
    await tileIn(page, 2).locator('.words').filter({ hasNotText: 'no words yet' }).waitFor();
    const at = new Date().toISOString();
    const words = { text: '<img src=x onerror="alert(1)">', source: 'picoclaw', at } as const;
    const from = { task_id: '<script>alert(2)</script>', rack: '"><script>alert(3)</script>' };
    await changeRecord(bus, 'world', 2, (record) => (record === null ? null : { ...record, words, from }));
    await bus.set(KEYS.haiku, JSON.stringify({ text: `one\n${MARKUP}\nthree`, source: 'ollama', at }), TTL.haiku);
    await tileIn(page, 2).locator('.words').getByText(words.text, { exact: true }).waitFor();
    await shows(tileIn(page, 2), 'FROM <script>');
    const haiku = panel(page, 'Haiku');
    await shows(haiku, MARKUP);
    await shows(haiku, 'by Ollama (ollama)');
    expect(await haiku.locator('blockquote').innerText()).toBe(`one\n${MARKUP}\nthree`);
    expect(await page.locator('main :is(img, script, b)').count()).toBe(0);
  });

  it('scales the world within the limits, and is refused in words beyond them', async ({ world, look }) => {
    const { daemon } = await world();
    const page = await look(daemon);
    const troopers = page.getByLabel(/^Troopers/);
    await troopers.fill('21');
    await button(page, 'Scale').click();
    await shows(page.locator('.scale'), 'Refused: replicas must be an integer between 1 and 20');
    await troopers.fill('4');
    await button(page, 'Scale').click();
    await shows(page.locator('.strength'), '4 of 4 running');
    await untilCount(tiles(page), 4);
    expect(await page.locator('.refusal').count()).toBe(0);
  });

  it('is refused while memcached is away, and what was seen and typed stays', async ({ world, look }) => {
    const { daemon, memcached, post } = await world();
    const page = await look(daemon);
    await post('/api/chat', { text: 'before' });
    const conversation = panel(page, 'Conversation');
    await shows(conversation, 'before');
    memcached.signal('SIGSTOP');
    await shows(conversation, 'Last known. It cannot be read just now.');
    await shows(conversation, 'before');
    await conversation.getByLabel('Say something').fill('meanwhile');
    await button(conversation, 'Send').click();
    await shows(conversation, 'Refused: memcached unavailable');
    expect(await conversation.getByLabel('Say something').inputValue()).toBe('meanwhile');
    memcached.signal('SIGCONT');
    await conversation.locator('.unread').waitFor({ state: 'detached' });
  });
});
