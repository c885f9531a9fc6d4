import { defineConfig } from 'vitest/config';

/** `npm run screens`: the pictures of docs/screens, out of real worlds and daemons. No suite of `npm test`, since it proves nothing. */
export default defineConfig({
  test: {
    include: ['test/browser/screens.ts', 'test/browser/waiting-screens.ts'],
    globalSetup: ['test/browser/install.ts'],
    pool: 'forks',
    testTimeout: 300_000,
    hookTimeout: 60_000,
  },
});
