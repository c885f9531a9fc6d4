import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { installPackages, isInstalled, mayInstall } from '../lab/packages.ts';

/** Global set-up of the suite: Chromium and memcached are there afterwards and the page is built, or one sentence says what to do. */
const NEEDED = ['chromium', 'memcached'];
const PAGE = join(import.meta.dirname, '../../agents/trooper/page');

export async function setup(): Promise<void> {
  const missing = (): string[] => NEEDED.filter((program) => !isInstalled(program));
  if (missing().length > 0 && mayInstall()) await installPackages(missing());
  if (missing().length > 0) {
    throw complaint(
      `This suite needs ${missing().join(' and ')}: install the package of that name, as root on Debian that happens by itself, ` +
        'or run what needs only Node with `npm run test:unit`.',
    );
  }
  buildPage();
}

/** Where it was not built yet, or its sources are newer. */
export function buildPage(): void {
  const sources = ['src', 'index.html', 'vite.config.ts'].map((name) => newest(join(PAGE, name)) ?? 0);
  const built = newest(join(PAGE, 'dist/index.html'));
  if (built !== null && built >= Math.max(...sources)) return;
  const { status, stderr } = spawnSync('npm', ['run', '--silent', 'build:page'], { encoding: 'utf8' });
  if (status !== 0) throw complaint(`The page could not be built:\n${stderr}`);
}

/** Time of the last change of a file, or of any below a folder; null where there is nothing. */
function newest(path: string): number | null {
  try {
    const stats = statSync(path);
    if (!stats.isDirectory()) return stats.mtimeMs;
    return Math.max(...readdirSync(path).map((name) => newest(join(path, name)) ?? 0));
  } catch {
    return null;
  }
}

function complaint(text: string): Error {
  const error = new Error(text);
  error.stack = '';
  return error;
}
