import { describe, expect, it } from 'vitest';
import { ROOMS } from '../../tools/rooms.ts';
import { readText } from './tree.ts';

const architecture = readText('ARCHITECTURE.md');
/** The cells of every table row, by what the first cell has in backquotes. */
const rows = new Map(
  architecture
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => {
      const [names = '', ...cells] = line.split('|').slice(1, -1);
      return [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']) => [name.replace(/\/$/, ''), cells] as const);
    }),
);

describe('ARCHITECTURE.md', () => {
  it('gives the reason for every dependency, and for none that is gone', () => {
    const { dependencies, devDependencies } = JSON.parse(readText('package.json'));
    const named = [...rows.keys()].filter((name) => !(name in ROOMS));
    expect(named.sort()).toEqual(Object.keys({ ...dependencies, ...devDependencies }).sort());
  });

  it('shows every room with what it may import, as the rules have it', () => {
    for (const [name, { rooms }] of Object.entries(ROOMS)) {
      const [, may = ''] = rows.get(name) ?? [];
      const shown = [...may.matchAll(/`([^`]+)`/g)].map(([, room]) => room);
      if (name === 'main.ts')
        expect(rooms).toEqual(expect.arrayContaining(Object.keys(ROOMS).filter((room) => !/^(?:main\.ts|cli)$/.test(room))));
      else expect(shown, name).toEqual(rooms);
    }
  });
});
