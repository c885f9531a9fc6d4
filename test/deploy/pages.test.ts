import { describe, expect, it } from 'vitest';
import { complaintLine } from '../../src/config/complaint.ts';
import { configFromText } from '../../src/config/load.ts';
import { paths, readText } from '../house/tree.ts';

/** What somebody will copy out of the pages, as far as it can be tried without a Swarm. */
const blocks = (page: string): readonly string[] =>
  [...readText(page).matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text);

function complaints(text: string): readonly string[] {
  const loaded = configFromText(text, '/etc/reveille/orchestrator.yaml', {});
  return loaded.ok ? [] : loaded.failure.map((one) => complaintLine('page', one));
}

describe('docs/coming-from.md', () => {
  const all = blocks('docs/coming-from.md');
  const after = all.filter((text) => text.startsWith('# after\n'));

  it('shows configs that are right', () => {
    expect(after.length).toBe(2);
    expect(after.map(complaints)).toEqual([[], []]);
  });

  it('shows an old config that would be refused, each key that has changed by its line', () => {
    const [before = ''] = all.filter((text) => text.startsWith('# before\n'));
    expect(complaints(before).map((line) => line.split(': ')[0])).toContain('page:6:3');
  });
});

describe('docs/deploy-swarm.md', () => {
  it('shows an agent that is right', () => {
    const [agent = ''] = blocks('docs/deploy-swarm.md').filter((text) => text.startsWith('  kai:\n'));
    expect(complaints(`engine: swarm\nagents:\n${agent}`)).toEqual([]);
  });
});

it('every file of deploy/ is spoken of in some page', () => {
  const pages = ['README.md', 'docs/operations.md', 'docs/deploy-swarm.md', 'docs/docker-socket.md', 'stack.yml', 'Dockerfile']
    .map(readText)
    .join('\n');
  const files = paths('deploy');
  expect(files.filter((file) => !pages.includes(file))).toEqual([]);
});
