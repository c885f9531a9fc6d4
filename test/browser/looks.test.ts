import type { BrowserContextOptions, Page } from 'playwright-core';
import { expect } from 'vitest';
import { faultsOf } from './axe.ts';
import { button, it, panel, shows, tileIn, tiles, untilCount } from './rig.ts';

const LOOKS: Readonly<Record<string, BrowserContextOptions>> = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  phone: { colorScheme: 'light', viewport: { width: 360, height: 780 }, hasTouch: true, isMobile: true },
  'phone at night, without motion': { colorScheme: 'dark', reducedMotion: 'reduce', viewport: { width: 320, height: 700 } },
};

it('the page keeps nobody out (WCAG 2.2 AA), by day, by night and on a phone, where nothing lies outside the screen', async ({
  world,
  look,
}) => {
  const { daemon, post } = await world({ env: { DASHBOARD_BOT_LABEL: 'Machine Rack 1 (BOT 1)' } });
  await post('/api/chat', { text: `A word that is too long for any phone: ${'w'.repeat(200)}` });
  for (const [name, options] of Object.entries(LOOKS)) {
    const page = await look(daemon, options);
    await untilCount(tiles(page), 3);
    await shows(panel(page, 'Conversation'), 'too long');
    // With a refusal, a report and a trooper that is armed in it.
    await button(panel(page, 'Conversation'), 'Send').click();
    await page.locator('.refusal').waitFor();
    if (name === 'light') await button(tileIn(page, 2), 'Arm').click();
    await tileIn(page, 2).locator('.badge', { hasText: 'ON' }).waitFor();
    await page.getByText('What am I looking at?').click();
    await page.getByText('The seat of a trooper.').waitFor();
    expect(await faultsOf(page), name).toEqual([]);
    if (options.isMobile === true) expect(await tooSmall(page), name).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), name).toBeLessThanOrEqual(0);

    await button(tileIn(page, 1), 'Self-destruct').click();
    await page.getByRole('dialog').waitFor();
    expect(await faultsOf(page), `${name}, dialog`).toEqual([]);
    await page.context().close();
  }
});

/** What a finger can press beside the text, and is lower than 44 px or nearer than 8 px to what follows it in its row. */
const tooSmall = (page: Page): Promise<readonly string[]> =>
  page.evaluate(`[...document.querySelectorAll('.orders, .ways')].flatMap((row) => {
    const targets = [...row.querySelectorAll('button, a')].map((target) => ({ it: target.textContent, ...target.getBoundingClientRect().toJSON() }));
    return targets
      .filter(({ height, width, right, bottom, top }, index) => {
        const next = targets[index + 1];
        const near = next !== undefined && (next.top < bottom - 1 ? next.left - right < 7.9 : next.top - bottom < 7.9);
        return height < 43.9 || width < 43.9 || near;
      })
      .map(({ it }) => it);
  })`);
