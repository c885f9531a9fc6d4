import { expect } from 'vitest';
import { it } from './rig.ts';

it('three troopers answer in turn, each as the task it is', async ({ world }) => {
  const { get } = await world();
  const answers = await Promise.all(Array.from({ length: 12 }, async () => (await get('/api/whoami')).json));
  expect(new Set(answers.map(({ task_slot }) => task_slot))).toEqual(new Set([1, 2, 3]));
  expect(answers[0]).toMatchObject({ service: 'world', color: expect.stringMatching(/^#[0-9a-f]{6}$/) });
  expect((await get('/api/nonesuch')).json).toEqual({ error: 'not found' });
});
