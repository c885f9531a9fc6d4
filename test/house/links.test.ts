import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { paths, readText } from './tree.ts';

describe('the pages', () => {
  const pages = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md', ...paths('docs')].filter(
    (path) => path.endsWith('.md'),
  );

  it('link to nothing that is not there', () => {
    const broken = pages.flatMap((page) =>
      [...readText(page).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map(([, target = '']) => target)
        .filter((target) => !existsSync(new URL(target, new URL(page, new URL('../../', import.meta.url)))))
        .map((target) => `${page}: ${target}`),
    );
    expect(broken).toEqual([]);
  });
});
