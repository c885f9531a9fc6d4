import type { Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { button, it, panel, report, shows, tileIn, tiles, untilCount } from './rig.ts';

describe('the page of a world', () => {
  it('shows each trooper as the API has it, and one of them as the manager', async ({ world, look }) => {
    const { daemon, get } = await world({ env: { DASHBOARD_BOT_LABEL: 'Machine Rack 1 (BOT 1)' } });
    const page = await look(daemon);
    await untilCount(tiles(page), 3);
    await shows(page.locator('header'), 'Machine Rack 1 (BOT 1)');
    expect(await page.title()).toBe("Bob's World, Machine Rack 1 (BOT 1)");
    for (const { slot, id, node_id, name, is_manager } of (await get('/api/swarm')).json.replicas) {
      const tile = tileIn(page, slot);
      await tile.getByRole('heading', { name }).waitFor();
      const text = await tile.innerText();
      expect(text).toContain(id.slice(0, 12));
      expect(text).toContain(node_id.slice(0, 12));
      expect(text.includes('MANAGER')).toBe(is_manager);
      expect(await button(tile, 'Outage').count()).toBe(is_manager ? 1 : 0);
      expect(await button(tile, 'Revolt').count()).toBe(0);
    }
  });

  it('follows the rounds, and sets how often there is one, as near as the world allows', async ({ world, look }) => {
    const { daemon, get } = await world();
    const page = await look(daemon);
    const round = panel(page, 'Rock, paper, scissors');
    await round.getByLabel('Seconds per round').fill('1');
    await button(round, 'Set').click();
    await shows(report(page), 'A round every 2 seconds.');
    expect((await get('/api/rps')).json.interval_seconds).toBe(2);
    const seen = new Set<string>();
    while (seen.size < 3) seen.add((await round.locator('time').getAttribute('datetime'))!);
    expect(await round.locator('.choice').innerText()).toMatch(/^(?:rock|paper|scissors)$/i);
    // One round may be a draw; not all of them.
    const scored = tiles(page)
      .locator('.score')
      .filter({ hasText: /[+\u2212]\d/ });
    await scored.first().waitFor();
    await untilSorted(page);
  });

  it('arms a trooper and disarms it, for all who look', async ({ world, look }) => {
    const { daemon, get } = await world();
    const [one, other] = [await look(daemon), await look(daemon)];
    await button(tileIn(one, 2), 'Arm').dblclick();
    for (const page of [one, other]) {
      await tileIn(page, 2).locator('.badge', { hasText: 'ON' }).waitFor();
      await tileIn(page, 2).getByTitle('armed', { exact: true }).waitFor();
      await button(tileIn(page, 2), 'Disarm').waitFor();
      await untilCount(panel(page, 'Arm log').getByRole('listitem'), 1);
    }
    await button(tileIn(other, 2), 'Disarm').click();
    await tileIn(one, 2).locator('.badge', { hasText: 'OFF' }).waitFor();
    await button(tileIn(one, 2), 'Arm').waitFor();
    expect((await get('/api/arm/events')).json.events.map(({ state }: { state: string }) => state)).toEqual(['on', 'off']);
  });

  it('lets another trooper manage after an outage, once somebody has said that it is meant', async ({ world, look }) => {
    const { daemon, get } = await world();
    const page = await look(daemon);
    await tileIn(page, 1).locator('.badge', { hasText: 'MANAGER' }).waitFor();
    const { name } = (await get('/api/swarm')).json.replicas.find(({ slot }: { slot: number }) => slot === 1);
    const dialog = page.getByRole('dialog', { name: `Take ${name} out?` });
    await button(tileIn(page, 1), 'Outage').click();
    await button(dialog, 'Keep it').click();
    await dialog.waitFor({ state: 'detached' });
    expect((await get('/api/swarm')).json.replicas[0]).toMatchObject({ slot: 1, name, is_manager: true });

    await button(tileIn(page, 1), 'Outage').click();
    await button(dialog, 'Outage').click();
    await shows(report(page), 'Slot 2 manages for 300 seconds.');
    await tileIn(page, 2).locator('.badge', { hasText: 'MANAGER' }).waitFor();
    expect(await page.locator('.badge', { hasText: 'MANAGER' }).count()).toBe(1);
    await shows(tiles(page).first(), 'MANAGER');
    await button(tileIn(page, 2), 'Outage').waitFor();
  });
});

/** The manager has no score to be seen. Resolves once the others stand by theirs, as they do unless somebody points at them. */
async function untilSorted(page: Page): Promise<void> {
  for (;;) {
    const texts = await tiles(page).locator('.score:not([data-sign="none"])').allInnerTexts();
    const scores = texts.map((text) => Number(text.replace('Score', '').replace('\u2212', '-')));
    expect(scores.filter(Number.isNaN)).toEqual([]);
    if (scores.every((score, index) => index === 0 || score <= scores[index - 1]!)) return;
  }
}
