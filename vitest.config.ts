import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

/**
 * Suites, told apart by what a machine must have: `unit` needs Node and nothing else, `blackbox` starts the real
 * daemon and needs time, `world` needs apt's memcached, `browser` its Chromium too, `prometheus` needs apt's Prometheus, `swarm` needs the lab (test/lab), `stack` too for what is deployed
 * there as the guide says, and `two-nodes` a second engine in it. `npm test` runs them all and counts (tools/test.ts).
 */
export default defineConfig({
  test: {
    // Sockets, signals and child processes: a worker thread would share them with its neighbours.
    pool: 'forks',
    // Vitest leaves one core to itself, which is half of a small machine; it has next to nothing to do on it.
    maxWorkers: '100%',
    // Generous, because a test may share two cores with anything. What a test measures it measures on the simulated clock.
    testTimeout: 180_000,
    hookTimeout: 120_000,
    allowOnly: false,
    passWithNoTests: false,
    restoreMocks: true,
    // Most of the time of a daemon or an agent that a test starts goes by with compiling what the one before it compiled.
    env: { NODE_COMPILE_CACHE: resolve('node_modules/.cache/compiled') },
    projects: [
      {
        extends: true,
        // One process runs many files: starting one for each took longer than the tests, and a file that leaves something
        // behind is found out by the next.
        test: {
          name: 'unit',
          isolate: false,
          include: ['test/**/*.test.ts'],
          exclude: ['blackbox', 'world', 'browser', 'prometheus', 'swarm', 'stack', 'two-nodes'].map(
            (suite) => `test/${suite}/**`,
          ),
        },
      },
      {
        extends: true,
        // Each test has a daemon of its own and mostly waits for it, so they wait together. None measures how fast it is.
        test: {
          name: 'blackbox',
          include: ['test/blackbox/**/*.test.ts'],
          maxWorkers: 3,
          testTimeout: 600_000,
          hookTimeout: 300_000,
        },
      },
      {
        extends: true,
        // Troopers and daemons around a real memcached; most of a test is waiting for a round or a wake.
        test: {
          name: 'world',
          include: ['test/world/**/*.test.ts'],
          maxWorkers: 3,
          testTimeout: 600_000,
          globalSetup: ['test/world/install.ts'],
          hookTimeout: 300_000,
        },
      },
      {
        extends: true,
        // The page of the world, in the Chromium of this system.
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          maxWorkers: 3,
          testTimeout: 600_000,
          globalSetup: ['test/browser/install.ts'],
          hookTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'prometheus',
          include: ['test/prometheus/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 600_000,
          globalSetup: ['test/prometheus/install.ts'],
          hookTimeout: 300_000,
        },
      },
      {
        extends: true,
        // One Swarm for all of them, and tests that restart it.
        test: {
          name: 'swarm',
          include: ['test/swarm/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 300_000,
        },
      },
      {
        extends: true,
        // Stacks of the same names and ports, with images that take a minute to build.
        test: {
          name: 'stack',
          include: ['test/stack/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 900_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'two-nodes',
          include: ['test/two-nodes/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 600_000,
          globalSetup: ['test/two-nodes/join.ts'],
          env: { REVEILLE_TEST_AGENTS_ON: 'two' },
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
