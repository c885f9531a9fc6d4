import type { Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { Memcached } from '../support/memcached.ts';
import { agentOf } from '../world/rig.ts';
import { openWindow } from './chromium.ts';
import { addressOf, contact, it, report, shows, tiles, untilCount } from './rig.ts';

describe('a world and the pages that are open', () => {
  it('sleeps until it is opened: the waiting page is the first answer, and leads into the world by itself', async ({
    start,
    browser,
  }) => {
    await using memcached = await Memcached.start();
    const daemon = await start({ agents: { world: { ...agentOf(memcached, {}), on_sleeping: 'auto' } } });
    expect((await daemon.view('world')).state).toBe('sleeping');
    const { page, complaints } = await openWindow(browser);

    const first = await page.goto(addressOf(daemon));
    expect([first!.status(), await first!.headerValue('content-type')]).toEqual([503, 'text/html; charset=utf-8']);
    await contact(page, 'Live');
    await page.getByRole('heading', { level: 1, name: 'Bob’s World' }).waitFor();
    await untilCount(tiles(page), 3);
    await page.context().close();
    expect(complaints).toEqual([]);
  });

  it('stays awake for an open page, and sleeps when the last one is closed', async ({ world, look }) => {
    const { daemon } = await world({ idle: { timeout: '3s' } });
    const [one, other] = [await look(daemon), await look(daemon)];
    for (const page of [one, other]) await contact(page, 'Live');
    await one.close();
    // While a stream is open there is no time at which it would fall asleep.
    while ((await daemon.view('world')).in_flight !== 1) await other.waitForTimeout(20);
    const view = await daemon.view('world');
    expect([view.state, view.sleeps_at ?? null]).toEqual(['ready', null]);
    await other.close();
    await daemon.event('agent.sleep', 'world');
  });

  it('is shown as it was when it is put to sleep, and woken by whoever still looks', async ({ world, look }) => {
    const { daemon } = await world();
    const page = await look(daemon);
    await untilCount(tiles(page), 3);
    const before = daemon.lastEvent;
    await daemon.admin('/admin/agents/world/sleep?force=true', { method: 'POST' });
    await page.locator('main[data-stale="true"]').waitFor();
    expect(await tiles(page).count()).toBe(3);
    await shows(report(page), 'out of reach');
    await daemon.event('agent.ready', 'world', before);
    await contact(page, 'Live');
    await page.locator('main[data-stale="false"]').waitFor();
    await shows(report(page), 'The world is back.');
  });

  it('is left asleep by a page that nobody looks at, until somebody does', async ({ world, look }) => {
    const { daemon } = await world();
    const page = await look(daemon);
    await contact(page, 'Live');
    await setHidden(page, true);
    await daemon.admin('/admin/agents/world/sleep?force=true', { method: 'POST' });
    await contact(page, 'Asleep');
    const slept = await daemon.event('agent.sleep', 'world');
    expect(daemon.events.items.filter(({ type, id }) => type === 'agent.wake' && id > slept.id)).toEqual([]);
    await setHidden(page, false);
    await contact(page, 'Live');
  });

  it('is followed again when the troopers that showed it have died', async ({ world, look }) => {
    const { daemon } = await world({ replicas: 2 });
    const page = await look(daemon);
    await untilCount(tiles(page), 2);
    for (const { pid } of daemon.home.agentProcesses()) process.kill(pid, 'SIGKILL');
    await page.locator('main[data-stale="true"]').waitFor();
    await contact(page, 'Live');
    await untilCount(tiles(page), 2);
  });
});

/** As when the tab goes to the back: windows without a screen are always in front. */
async function setHidden(page: Page, hidden: boolean): Promise<void> {
  await page.evaluate(`
    Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  `);
}
