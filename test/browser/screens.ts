import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import type { Rack } from '../world/two-racks.ts';
import { button, it, panel, tileIn, tiles, untilCount } from './rig.ts';

/** Two racks with something going on in them, as somebody sees them who looks by day, by night, on a phone, after a revolt. */
const FOLDER = resolve(import.meta.dirname, '../../docs/screens');

const SAID = [
  'Rack 1 reporting. All seats taken, coffee is not.',
  'Who keeps calling scissors?',
  'The manager does. It is allowed to.',
  'Rack 2 offers dry socks to anybody who comes over.',
  'Socks noted. Nobody moves before the round is played.',
  'Sleep is ten minutes away once the last window is shut. Leave one open.',
];

const SCORES = [0, 7, -3, 4, 1, -1, 2];

it('takes the pictures', async ({ racks, look }) => {
  mkdirSync(FOLDER, { recursive: true });
  const { one, two } = await racks(6);
  for (const rack of [one, two]) await enliven(rack);

  const desk = { viewport: { width: 1360, height: 1000 } };
  const phone = { viewport: { width: 360, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
  const light = await look(one.daemon, { ...desk, colorScheme: 'light' });
  for (const slot of [5, 2, 4]) {
    await button(tileIn(light, slot), 'Arm').click();
    await tileIn(light, slot).locator('.badge', { hasText: 'ON' }).waitFor();
  }
  await take(light, 'world-light');
  for (const [name, options] of Object.entries<BrowserContextOptions>({
    'world-dark': { ...desk, colorScheme: 'dark' },
    'world-phone': { ...phone, colorScheme: 'light' },
  })) {
    const page = await look(one.daemon, options);
    await untilCount(tiles(page), 6);
    await take(page, name);
  }

  const there = await look(two.daemon, { ...desk, colorScheme: 'light' });
  for (const slot of [2, 4]) {
    await button(tileIn(light, slot), 'Revolt').click();
    await tileIn(light, slot).waitFor({ state: 'detached' });
  }
  await untilCount(panel(there, 'Revolt activity').getByRole('listitem'), 2);
  await untilCount(tiles(there), 8);
  await take(there, 'world-revolt');
});

async function enliven(rack: Rack): Promise<void> {
  for (const { slot } of await rack.troopers()) {
    await rack.remember(slot, { score: SCORES[slot] ?? 0 });
  }
  for (const text of SAID) await rack.post('/api/chat', { text });
}

/** Once the report has gone, which would cover what is to be seen. */
async function take(page: Page, name: string): Promise<void> {
  await page.locator('.report').waitFor({ state: 'detached' });
  await page.mouse.move(0, 0);
  await page.evaluate('document.activeElement.blur(); scrollTo(0, 0)');
  await page.screenshot({ path: resolve(FOLDER, `${name}.png`) });
}
