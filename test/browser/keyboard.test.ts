import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { button, it, report, shows, tileIn, tiles, untilCount } from './rig.ts';

it('a trooper is destroyed by keyboard alone, once somebody has said that it is meant', async ({ world, look }) => {
  const { daemon, get } = await world();
  const page = await look(daemon);
  await untilCount(tiles(page), 3);
  const { name } = (await get('/api/swarm')).json.replicas.find(({ slot }: { slot: number }) => slot === 3);

  await reach(page, `Self-destruct ${name}, slot 3`);
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: `Destroy ${name}?` });
  await dialog.waitFor();
  expect(await focused(page)).toBe('Keep it');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  expect(await focused(page)).toBe(`Self-destruct ${name}, slot 3`);
  expect(await tiles(page).count()).toBe(3);

  await page.keyboard.press('Enter');
  await dialog.waitFor();
  await page.keyboard.press('Tab');
  expect(await focused(page)).toBe('Self-destruct');
  await page.keyboard.press('Enter');
  await shows(report(page), `${name} in slot 3 is no more.`);
  await untilCount(tiles(page), 2);
  await shows(page.locator('.strength'), '2 of 2 running');
  expect((await get('/api/swarm')).json.running_count).toBe(2);
  // The focus was on what has gone, and is where one goes on.
  expect(await focused(page)).toBe('world');
});

it('everything can be reached and used by keyboard, and whoever is there sees where', async ({ world, look }) => {
  const { daemon } = await world();
  const page = await look(daemon);
  await untilCount(tiles(page), 3);
  const stops = await walk(page);
  const buttons = await page.getByRole('button').count();
  const fields = await page.locator('input, textarea').count();
  expect(stops.filter(({ tag }) => tag === 'BUTTON')).toHaveLength(buttons);
  expect(stops.filter(({ tag }) => tag === 'SUMMARY')).toHaveLength(1);
  expect(stops.filter(({ tag }) => tag === 'INPUT' || tag === 'TEXTAREA')).toHaveLength(fields);
  expect(stops.filter(({ outline }) => outline < 2).map(({ name }) => name)).toEqual([]);

  await reach(page, (await button(tileIn(page, 2), 'Arm').innerText()).trim());
  await page.keyboard.press('Space');
  await tileIn(page, 2).locator('.badge', { hasText: 'ON' }).waitFor();
  expect(await focused(page)).toMatch(/^Disarm .*slot 2$/);
});

interface Stop {
  readonly tag: string;
  readonly name: string;
  /** Pixels of the outline. */
  readonly outline: number;
}

const STOP = `(() => {
  const { activeElement: it } = document;
  return {
    tag: it.tagName,
    name: (it.textContent || it.id).trim().replace(/\\s+/g, ' '),
    outline: getComputedStyle(it).outlineStyle === 'none' ? 0 : parseFloat(getComputedStyle(it).outlineWidth),
  };
})()`;

const stop = (page: Page): Promise<Stop> => page.evaluate(STOP);

const focused = async (page: Page): Promise<string> => (await stop(page)).name;

/** Every stop from the top of the page until the focus leaves it. */
async function walk(page: Page): Promise<readonly Stop[]> {
  const stops: Stop[] = [];
  await page.locator('body').press('Tab');
  for (let at = await stop(page); at.tag !== 'BODY' && stops.length < 200; at = await stop(page)) {
    stops.push(at);
    await page.keyboard.press('Tab');
  }
  return stops;
}

/** By Tab, as anybody would who has no mouse. */
async function reach(page: Page, name: string): Promise<void> {
  const wanted = name.replace(/\s+/g, ' ');
  for (let steps = 0; (await focused(page)) !== wanted; steps += 1) {
    expect(steps, `${wanted} is not reached`).toBeLessThan(100);
    await page.keyboard.press('Tab');
  }
}
