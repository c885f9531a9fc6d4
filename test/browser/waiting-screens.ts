import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { BrowserContextOptions } from 'playwright-core';
import { heading, hold, it, troubled } from './waiting-rig.ts';

/** The waiting page as it looks by day, by night with a brand, on a phone, and after a start that failed. */
const FOLDER = resolve(import.meta.dirname, '../../docs/screens');
/** What the first start takes, so that the second has something to be measured by. */
const START_MS = 6_000;
/** How far into the second the pictures are taken. */
const INTO_MS = 2_500;

const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 44 40">
  <rect width="40" height="40" rx="10" fill="#e4572e"/>
  <path d="M13 10v20M29 10 15 20l14 10" fill="none" stroke="#fff" stroke-width="4.5" stroke-linecap="round" stroke-linejoin="round"/>
</svg>`;

it('takes the pictures', async ({ home, open }) => {
  mkdirSync(FOLDER, { recursive: true });
  const place = home({});
  writeFileSync(join(place.directory, 'kai.svg'), LOGO);
  const kai = { on_sleeping: 'page', page: { title: "Kai's Studio", logo: 'kai.svg', accent: '#e4572e' } };
  place.write({
    agents: {
      notes: troubled(place, 'unwell', 'mend', { on_sleeping: 'page' }),
      kai: troubled(place, 'unwell', 'mend', kai),
      broken: troubled(place, 'dies', 'never'),
    },
  });
  const daemon = await place.start();
  const desk = { viewport: { width: 1360, height: 860 } };
  const phone = { viewport: { width: 360, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
  const pause = (ms: number): Promise<void> => new Promise((over) => setTimeout(over, ms));

  const agents = ['notes', 'kai'];
  for (const agent of agents) await daemon.admin(`/admin/agents/${agent}/wake`, { method: 'POST' });
  await pause(START_MS);
  writeFileSync(join(place.directory, 'mend'), '');
  for (const agent of agents) {
    await daemon.event('agent.ready', agent);
    await daemon.admin(`/admin/agents/${agent}/sleep?force=true`, { method: 'POST' });
    await daemon.event('agent.sleep', agent);
  }
  rmSync(join(place.directory, 'mend'));

  const pictures: readonly (readonly [string, string, string, BrowserContextOptions])[] = [
    ['waiting-light', 'notes', 'Starting', { ...desk, colorScheme: 'light' }],
    ['waiting-dark', 'kai', 'Starting', { ...desk, colorScheme: 'dark' }],
    ['waiting-phone', 'kai', 'Starting', { ...phone, colorScheme: 'light' }],
    ['waiting-failed', 'broken', 'Did not start', { ...desk, colorScheme: 'light' }],
  ];
  await Promise.all(
    pictures.map(async ([name, agent, shown, options]) => {
      const { page } = await open(daemon, agent, options);
      await heading(page, shown);
      if (shown === 'Starting') await pause(INTO_MS);
      else await hold(page);
      await page.screenshot({ path: join(FOLDER, `${name}.png`) });
    }),
  );
});
