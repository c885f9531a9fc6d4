import { installPackages, isInstalled, mayInstall } from '../lab/packages.ts';

/** Global set-up of the suite: both programs are there afterwards, or one sentence says what to do. */
const PROGRAMS = ['prometheus', 'promtool'] as const;

const missing = (): readonly string[] => PROGRAMS.filter((program) => !isInstalled(program));

export async function setup(): Promise<void> {
  if (missing().length > 0 && mayInstall()) await installPackages(['prometheus']);
  const lacking = missing();
  if (lacking.length === 0) return;
  const error = new Error(
    `This suite needs ${lacking.join(' and ')}: install the package prometheus, as root on Debian that happens by itself, ` +
      'or run what needs only Node with `npm run test:unit`.',
  );
  error.stack = '';
  throw error;
}
