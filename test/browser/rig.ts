import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { expect } from 'vitest';
import type { Daemon } from '../support/daemon.ts';
import { it as withWorlds } from '../world/two-racks.ts';
import { type Window, launch, openWindow } from './chromium.ts';

interface Fixtures {
  readonly browser: Browser;
  /** A window of its own with the page of the world in it. Nothing may go wrong in it that the page does not show. */
  readonly look: (daemon: Daemon, options?: BrowserContextOptions) => Promise<Page>;
}

/** `it` with worlds, and windows to look at them. */
export const it = withWorlds.extend<Fixtures>({
  // Each window has a context of its own, which shares nothing with the others.
  browser: [
    async ({}, use) => {
      const browser = await launch();
      await use(browser);
      await browser.close();
    },
    { scope: 'file' },
  ],
  look: async ({ browser }, use) => {
    const windows: Window[] = [];
    await use(async (daemon, options) => {
      const window = await openWindow(browser, options);
      windows.push(window);
      // A world that is put to sleep early says so first.
      while ((await window.page.goto(addressOf(daemon)))?.status() === 503) await daemon.wake('world', '/api/whoami');
      return window.page;
    });
    for (const { page } of windows) await page.context().close();
    expect(windows.flatMap(({ complaints }) => complaints)).toEqual([]);
  },
});

export const addressOf = (daemon: Daemon): string => `http://world.test:${daemon.port}/`;

/** Everything below is what somebody would look for: by role and by name. */
export const tiles = (page: Page): Locator => page.locator('.tiles > li');

/** The tile of whoever holds this slot. */
export const tileIn = (page: Page, slot: number): Locator => tiles(page).filter({ has: page.locator(`dd:text-is("${slot}")`) });

/** By how its name begins; what follows is for whom. */
export const button = (within: Page | Locator, name: string): Locator =>
  within.getByRole('button', { name: new RegExp(`^${name}\\b`) });

export const panel = (page: Page, name: string): Locator => page.getByRole('region', { name });

export const report = (page: Page): Locator => page.getByRole('status');

/** Resolves once the locator shows this text. */
export const shows = (locator: Locator, text: string | RegExp): Promise<void> =>
  locator.filter({ hasText: text }).first().waitFor();

/** Resolves once so many are there. */
export async function untilCount(locator: Locator, count: number): Promise<void> {
  if (count > 0) await locator.nth(count - 1).waitFor();
  await locator.nth(count).waitFor({ state: 'detached' });
}

export const contact = (page: Page, word: string): Promise<void> => shows(page.locator('.contact'), word);
