import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page, Response } from 'playwright-core';
import { expect } from 'vitest';
import { type Daemon, type Home, type Settings, it as withDaemons, program } from '../support/daemon.ts';
import { type Window, launch, openWindow } from './chromium.ts';

/** Real daemons, and windows on agents of theirs that are asleep. */
interface Fixtures {
  readonly browser: Browser;
  /** Opens an agent in a window of its own. Nothing may go wrong in it, above all no policy of its own may be broken. */
  readonly open: (daemon: Daemon, agent: string, options?: BrowserContextOptions) => Promise<Opened>;
}

interface Opened {
  readonly page: Page;
  readonly first: Response;
}

export const PATH = '/deep/link?with=query';

export const it = withDaemons.extend<Fixtures>({
  browser: [
    async ({}, use) => {
      const browser = await launch();
      await use(browser);
      await browser.close();
    },
    { scope: 'file' },
  ],
  open: async ({ browser }, use) => {
    const windows: Window[] = [];
    await use(async (daemon, agent, options) => {
      const window = await openWindow(browser, options);
      windows.push(window);
      const first = await window.page.goto(`http://${agent}.test:${daemon.port}${PATH}`);
      return { page: window.page, first: first! };
    });
    for (const { page } of windows) await page.context().close();
    expect(windows.flatMap(({ complaints }) => complaints)).toEqual([]);
  },
});

/** An agent with faults (test/blackbox/agents/trouble.ts) that the file of its name ends. */
export const troubled = (home: Home, trouble: string, mend: string, more: Settings = {}): Settings => ({
  process: program('test/blackbox/agents/trouble.ts', { TROUBLE: trouble, MEND: join(home.directory, mend) }),
  on_sleeping: 'auto',
  ...more,
});

/** Resolves once the page says this. */
export const heading = (page: Page, text: string): Promise<void> => page.getByRole('heading', { level: 1, name: text }).waitFor();

/** The page stays as it is: it finds no daemon to ask. */
export async function hold(page: Page): Promise<void> {
  await page.route('**/.reveille/state', (route) => route.abort());
}
