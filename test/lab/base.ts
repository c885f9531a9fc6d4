import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { lock, searchPath } from './packages.ts';
import { runProgram } from './run-program.ts';

/**
 * The root of the base image, made outside of the lab, where Debian can be reached: what the official image of Node is, as far
 * as the project's Dockerfile can tell, with this machine's registry and certificates written into npm's own settings. It is
 * kept in node_modules/.cache, which `npm ci` empties, under a name that says what went into it.
 */
export interface Registry {
  /** As npm has it. */
  readonly url: string;
  /** `host:port`. */
  readonly authority: string;
  /** Certificates that the registry is checked against, in PEM; null for those that Node brings. */
  readonly caFile: string | null;
}

const REPOSITORY = resolve(import.meta.dirname, '../..');
const CACHE = join(REPOSITORY, 'node_modules/.cache/reveille-lab');
const SUITE = 'bookworm';
const FALLBACK_MIRROR = 'http://deb.debian.org/debian/';
const KEPT_MS = 3_600_000;
const LOCK_WAIT_S = 600;
const CA_IN_IMAGE = '/etc/ssl/certs/ca-certificates.crt';

export async function npmRegistry(): Promise<Registry> {
  // npm would leave a cache of its compiled self among the temporary files.
  const env = { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' };
  const told = await runProgram(['npm', 'config', 'get', 'registry', 'cafile'], { env });
  const read = (key: string): string => new RegExp(`^${key}=(.+)$`, 'm').exec(told)?.[1]?.trim() ?? '';
  const url = new URL(read('registry'));
  const files = [read('cafile'), process.env['NODE_EXTRA_CA_CERTS'] ?? '', CA_IN_IMAGE];
  return {
    url: url.href,
    authority: `${url.hostname}:${url.port === '' ? '443' : url.port}`.toLowerCase(),
    caFile: files.find((file) => file !== '' && existsSync(file)) ?? null,
  };
}

/** Resolves to the path of a tar file. Takes about half a minute the first time. */
export async function baseImageRoot(registry: Registry, scratch: string, signal: AbortSignal): Promise<string> {
  const node = join(REPOSITORY, 'node_modules/node/bin/node');
  const npm = resolve(dirname(realpathSync(await which('npm'))), '..');
  const npmrc = [`registry=${registry.url}`, ...(registry.caFile === null ? [] : [`cafile=${CA_IN_IMAGE}`])].join('\n');
  const versions = [node, npm].map((path) => readFileSync(manifestOf(path), 'utf8'));
  const certificates = registry.caFile === null ? '' : readFileSync(registry.caFile, 'utf8');
  const key = createHash('sha256').update(JSON.stringify([SCRIPT, SUITE, process.arch, npmrc, certificates, ...versions]));
  const file = join(CACHE, `base-${key.digest('hex').slice(0, 16)}.tar`);
  if (existsSync(file)) return file;
  mkdirSync(CACHE, { recursive: true });
  // Several suites want a lab, and begin at the same time.
  const release = await lock(`${CACHE}.lock`, LOCK_WAIT_S);
  try {
    if (existsSync(file)) return file;
    const facts = { NODE: node, NPM: npm, NPMRC: npmrc, CA_FILE: registry.caFile ?? '', CA_IN_IMAGE };
    await make(file, facts, scratch, signal);
  } finally {
    release();
  }
  return file;
}

async function make(file: string, facts: Readonly<Record<string, string>>, scratch: string, signal: AbortSignal): Promise<void> {
  // Not what another run is about to read.
  for (const old of readdirSync(CACHE).map((name) => join(CACHE, name))) {
    if (Date.now() - statSync(old).mtimeMs > KEPT_MS) rmSync(old, { force: true });
  }
  console.log('making the base image, which takes half a minute and is kept for the next time');
  const unfinished = join(CACHE, `unfinished-${randomBytes(4).toString('hex')}.tar`);
  // In namespaces of its own, so that what it mounts and starts ends with it.
  const spaces = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const root = join(scratch, 'base');
  mkdirSync(root);
  const more = { ROOT: root, SUITE, MIRROR: await debianMirror(), OUT: unfinished, PATH: searchPath(), LC_ALL: 'C' };
  try {
    await runProgram([...spaces, 'sh', '-euc', SCRIPT], { env: { ...process.env, ...facts, ...more }, signal });
    renameSync(unfinished, file);
  } finally {
    rmSync(unfinished, { force: true });
  }
}

// In memory while it is made, which halves the time. 1000 is the number of the user `node` in the official image. Of
// memcached, which another image is made of, comes the program alone: its package wants all of Perl.
const SCRIPT = `
mount -t tmpfs -o mode=755 tmpfs "$ROOT"
debootstrap --variant=minbase --include=libevent-2.1-7,libsasl2-2,libssl3 "$SUITE" "$ROOT" "$MIRROR"
awk -v RS= '/(^|\\n)Package: memcached\\n/' "$ROOT"/var/lib/apt/lists/*_Packages > "$ROOT/tmp/memcached"
wget -q -O "$ROOT/tmp/memcached.deb" "\${MIRROR%/}/$(sed -n 's/^Filename: //p' "$ROOT/tmp/memcached")"
echo "$(sed -n 's/^SHA256: //p' "$ROOT/tmp/memcached") $ROOT/tmp/memcached.deb" | sha256sum --quiet -c
dpkg-deb --fsys-tarfile "$ROOT/tmp/memcached.deb" | tar -x -C "$ROOT" ./usr/bin/memcached
rm "$ROOT"/tmp/memcached*
chroot "$ROOT" groupadd --gid 1000 node
chroot "$ROOT" useradd --uid 1000 --gid node --shell /bin/bash --create-home node
rm -rf "$ROOT"/var/cache/apt/* "$ROOT"/var/lib/apt/lists/* "$ROOT"/usr/share/doc "$ROOT"/usr/share/man "$ROOT"/usr/share/locale
install -D -m 755 "$NODE" "$ROOT/usr/local/bin/node"
mkdir -p "$ROOT/usr/local/lib/node_modules" "$ROOT/usr/local/etc" "$ROOT/etc/ssl/certs"
cp -a "$NPM" "$ROOT/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$ROOT/usr/local/bin/npm"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$ROOT/usr/local/bin/npx"
printf '%s\\n' "$NPMRC" > "$ROOT/usr/local/etc/npmrc"
test -z "$CA_FILE" || cp -L "$CA_FILE" "$ROOT$CA_IN_IMAGE"
tar -C "$ROOT" -cf "$OUT" .
`;

/** The archive that this machine's apt takes its own packages from. */
async function debianMirror(): Promise<string> {
  const lines = await runProgram([
    'apt-get',
    'indextargets',
    '--format',
    '$(ORIGIN) $(RELEASE) $(REPO_URI)',
    'Identifier: Packages',
  ])
    .then((text) => text.split('\n'))
    .catch(() => []);
  const mirrors = lines.map((line) => line.split(' ')).filter(([origin]) => origin === 'Debian');
  const [, , uri] = mirrors.find(([, release]) => release === SUITE) ?? mirrors[0] ?? [];
  return uri ?? FALLBACK_MIRROR;
}

const which = (program: string): Promise<string> =>
  runProgram(['sh', '-c', 'command -v "$1"', 'sh', program], { env: { ...process.env, PATH: searchPath() } });

/** The package.json above a file or directory. */
function manifestOf(path: string): string {
  const file = join(path, 'package.json');
  return existsSync(file) ? file : manifestOf(dirname(path));
}
