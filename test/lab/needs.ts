import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { installPackages, isInstalled, mayInstall, searchPath } from './packages.ts';

/**
 * What the lab needs of the machine: Linux, root, the right to make namespaces, and a few programs. Another Docker than
 * Debian's will do, and then no Docker is installed; nothing of it but its programs is used.
 */
export class Unfit extends Error {
  constructor(reason: string) {
    super(`The suite swarm cannot run here: ${reason}. Run what needs only Node with \`npm run test:unit\`.`);
  }
}

interface Need {
  readonly package: string;
  readonly programs: readonly string[];
}

const DOCKER: Need = { package: 'docker.io', programs: ['dockerd', 'containerd', 'runc', 'docker'] };
/** From Debian 13 on the client is a package of its own. */
const CLIENT: Need = { package: 'docker-cli', programs: ['docker'] };
const OTHERS: readonly Need[] = [
  { package: 'debootstrap', programs: ['debootstrap'] },
  { package: 'iptables', programs: ['iptables'] },
  { package: 'iproute2', programs: ['ip'] },
  { package: 'util-linux', programs: ['unshare', 'nsenter', 'setpriv', 'mount'] },
];

const lacks = ({ programs }: Need): boolean => programs.some((program) => !isInstalled(program));

/** Rejects with Unfit. Afterwards everything is there. */
export async function prepareMachine(): Promise<void> {
  if (process.platform !== 'linux') throw new Unfit('it needs Linux');
  if (process.getuid?.() !== 0) throw new Unfit('it needs root');
  // Where there is an engine already, packages of another Docker beside it would be in its way.
  const wanted = [...(isInstalled('dockerd') ? [] : [DOCKER]), ...OTHERS].filter(lacks);
  if (wanted.length > 0 && mayInstall()) {
    await installPackages(wanted.map((need) => need.package));
    if (wanted.includes(DOCKER) && lacks(CLIENT)) await installPackages([CLIENT.package]);
  }
  const missing = [DOCKER, ...OTHERS].flatMap(({ programs }) => programs).filter((program) => !isInstalled(program));
  if (missing.length > 0) throw new Unfit(`it needs ${missing.join(', ')}`);
  const spaces = ['--mount', '--net', '--pid', '--uts', '--ipc', '--fork', '--mount-proc', 'true'];
  await promisify(execFile)('unshare', spaces, { env: { ...process.env, PATH: searchPath() } }).catch(() => {
    throw new Unfit('this root may not make namespaces');
  });
}
