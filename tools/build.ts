import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync } from 'node:fs';

/**
 * `npm run build`: dist/ for the package. Node does not strip types below node_modules, so what is installed has to be
 * JavaScript; a checkout runs from source and needs none of this.
 */
const COMMAND = 'dist/cli/main.js';

// What a file that is gone once became must not be shipped.
rmSync('dist', { recursive: true, force: true });
const { status } = spawnSync('tsc', ['--project', 'tsconfig.build.json'], { stdio: 'inherit' });
if (status !== 0) process.exit(1);
if (!existsSync(COMMAND)) {
  console.error(`${COMMAND} was not built, and the package's command is that file.`);
  process.exit(1);
}
chmodSync(COMMAND, 0o755);
