import { expect } from 'vitest';
import { button, it, panel, report, shows, tileIn, tiles, untilCount } from './rig.ts';

it('a trooper goes from one rack to the other while both are looked at, and brings along what it had', async ({
  racks,
  look,
}) => {
  const { one, two } = await racks(2);
  const [here, there] = [await look(one.daemon), await look(two.daemon)];
  await shows(here.locator('header'), 'Machine Rack 1 (BOT 1)');
  await shows(there.locator('header'), 'Machine Rack 2 (BOT 2)');
  await button(tileIn(here, 2), 'Arm').click();
  await tileIn(here, 2).locator('.badge', { hasText: 'ON' }).waitFor();
  const source = (await one.get('/api/swarm')).json.replicas.find(({ slot }: { slot: number }) => slot === 2).id;

  await button(tileIn(here, 2), 'Revolt').dblclick();
  await tileIn(here, 2).getByText('Going over…').waitFor();
  await shows(report(here), /has gone to the other rack, as [0-9a-f]{12}\./);
  await untilCount(tiles(here), 1);
  await untilCount(tiles(there), 3);
  const arrived = tiles(there).filter({ hasText: `FROM ${source.slice(0, 8)}` });
  await arrived.locator('.badge', { hasText: 'ON' }).waitFor();
  for (const page of [here, there]) {
    const activity = panel(page, 'Revolt activity').getByRole('listitem');
    await untilCount(activity, 1);
    await shows(activity, `${source.slice(0, 8)} of Machine Rack 1 (BOT 1) went to Machine Rack 2 (BOT 2)`);
  }

  // The last one stays where it is, and both racks say so.
  await button(tiles(here), 'Revolt').click();
  await shows(here.locator('.refusal'), 'cannot revolt when source service has only 1 replica');
  expect(await tiles(there).count()).toBe(3);
});
