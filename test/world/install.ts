import { installPackages, isInstalled, mayInstall } from '../lab/packages.ts';

/** Global set-up of the suite: memcached is there afterwards, or one sentence says what to do. */
export async function setup(): Promise<void> {
  if (!isInstalled('memcached') && mayInstall()) await installPackages(['memcached']);
  if (isInstalled('memcached')) return;
  const error = new Error(
    'This suite needs memcached: install the package of that name, as root on Debian that happens by itself, ' +
      'or run what needs only Node with `npm run test:unit`.',
  );
  error.stack = '';
  throw error;
}
