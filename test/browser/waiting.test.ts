import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { expect } from 'vitest';
import { faultsOf } from './axe.ts';
import { heading, hold, it, PATH, troubled } from './waiting-rig.ts';

/** Resolves once the window shows the agent itself, at the address that was opened. */
async function untilInside(page: Page): Promise<void> {
  await page.getByText('"pid"').waitFor();
  const { pathname, search } = new URL(page.url());
  expect(pathname + search).toBe(PATH);
}

it('opened at a sleeping agent, the waiting page ends up in the agent, with JavaScript and without', async ({ home, open }) => {
  const place = home({});
  place.write({
    agents: {
      kai: troubled(place, 'unwell', 'kai', { page: { title: 'Kai’s Studio' } }),
      bo: troubled(place, 'unwell', 'bo'),
    },
  });
  const daemon = await place.start();
  const scripted = await open(daemon, 'kai');
  const plain = await open(daemon, 'bo', { javaScriptEnabled: false });
  for (const { page, first } of [scripted, plain]) {
    expect([first.status(), await first.headerValue('content-type')]).toEqual([503, 'text/html; charset=utf-8']);
    await heading(page, 'Starting');
  }
  await scripted.page.getByText('Kai’s Studio').waitFor();
  for (const name of ['kai', 'bo']) writeFileSync(join(place.directory, name), '');
  for (const { page } of [scripted, plain]) await untilInside(page);
  // One start, however often the page was there; and looking was no work.
  expect(daemon.eventsOf('kai')).toEqual(['agent.wake', 'agent.starting', 'agent.ready']);
});

it('says in words why a start failed and when it is tried again, and opens the agent once that works', async ({ home, open }) => {
  const place = home({});
  place.write({ agents: { kai: troubled(place, 'dies', 'mend') } });
  const { page } = await open(await place.start(), 'kai');
  await heading(page, 'Did not start');
  await page.getByText('It was started, but ended by itself.').waitFor();
  await page.getByText(/^Trying again in \d+ seconds?\.$/).waitFor();
  writeFileSync(join(place.directory, 'mend'), '');
  await untilInside(page);
});

it('the waiting page keeps nobody out (WCAG 2.2 AA): by day, by night, on a phone, and after a failed start', async ({
  home,
  open,
}) => {
  const place = home({});
  writeFileSync(join(place.directory, 'kai.svg'), '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"/>');
  const page = { title: `Kai${'andAVeryLongName'.repeat(4)}`, logo: 'kai.svg', accent: '#ff0' };
  place.write({ agents: { kai: troubled(place, 'unwell', 'never', { page }), bo: troubled(place, 'dies', 'never') } });
  const daemon = await place.start();
  const phone = { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true };
  const looks: readonly (readonly [string, string, string, BrowserContextOptions])[] = [
    ['by day', 'kai', 'Starting', { colorScheme: 'light' }],
    ['by night', 'kai', 'Starting', { colorScheme: 'dark' }],
    ['on a phone, without motion', 'kai', 'Starting', { ...phone, colorScheme: 'light', reducedMotion: 'reduce' }],
    ['failed, on a phone by night', 'bo', 'Did not start', { ...phone, colorScheme: 'dark' }],
  ];
  for (const [name, agent, shown, options] of looks) {
    const { page } = await open(daemon, agent, options);
    await heading(page, shown);
    await hold(page);
    expect(await faultsOf(page), name).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), name).toBeLessThanOrEqual(0);
  }
});
