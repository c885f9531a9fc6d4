import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { labOrNull } from './lab.ts';
import { type Namespaces, namespacesOf } from './namespaces.ts';
import { bootId, listProcesses, readProcess } from '../../src/process/proc.ts';

/**
 * Everything that a lab puts on the machine: one directory, and cgroups below one of the same name. A lab that was ended by
 * force cannot clean up, so the next one does it, and only on proof: the directory is ours, it says which process owned it,
 * and that process (by pid, start and boot) is gone. Names are where to look, never what to go by.
 */
const PREFIX = 'reveille-lab-';
const OWNER = 'owner.json';
const PATIENCE_MS = 60_000;

interface Owner {
  readonly pid: number;
  readonly start: string;
  readonly boot: string;
}

export function makeScratch(parent = tmpdir()): string {
  const directory = mkdtempSync(join(realpathSync(parent), PREFIX));
  writeFileSync(join(directory, OWNER), JSON.stringify(self()));
  mkdirSync(join(directory, 'tmp'));
  return directory;
}

function self(): Owner {
  return { pid: process.pid, start: readProcess(process.pid)?.start ?? '', boot: bootId() ?? '' };
}

/**
 * The parent of every cgroup that the lab's engines make, from the root of each hierarchy. A lab in a lab puts its own below
 * those of the one around it, which may have to end it by force and then removes them with its own.
 */
export const cgroupParent = (scratch: string): string => `${labOrNull()?.engine.cgroupParent ?? ''}/${basename(scratch)}`;

export async function removeScratch(scratch: string): Promise<void> {
  await eventually(() => cgroupsOf(scratch).every(removeCgroup));
  rmSync(scratch, { recursive: true, force: true });
}

/** Removes what labs have left whose owner is gone. */
export async function sweep(parent = tmpdir()): Promise<void> {
  for (const name of readdirSync(parent).filter((each) => each.startsWith(PREFIX))) {
    const scratch = join(parent, name);
    if (isOrphan(scratch)) await removeScratch(scratch);
  }
}

function isOrphan(scratch: string): boolean {
  let owner: Owner;
  try {
    const facts = lstatSync(scratch);
    // Anybody may write to a directory for temporary files; what is not ours is no proof of anything.
    if (!facts.isDirectory() || facts.uid !== process.getuid?.()) return false;
    owner = JSON.parse(readFileSync(join(scratch, OWNER), 'utf8')) as Owner;
  } catch {
    return false;
  }
  return owner.boot !== bootId() || readProcess(owner.pid)?.start !== owner.start;
}

function hierarchies(): readonly string[] {
  // proc_pid_mountinfo(5): the fifth field is the mount point, the file system's type follows a lonely hyphen.
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').trim().split('\n');
  return lines.filter((line) => / - cgroup2? /.test(line)).map((line) => line.split(' ')[4] ?? '');
}

const cgroupsOf = (scratch: string): readonly string[] =>
  hierarchies()
    .map((root) => join(root, cgroupParent(scratch)))
    .filter(isThere);

/** The files in a cgroup go with it; only directories can be removed, the innermost first. False: something still runs in it. */
function removeCgroup(path: string): boolean {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) removeCgroup(join(path, entry.name));
    }
    rmdirSync(path);
  } catch {
    // Busy, or gone meanwhile: whether it is there still is what counts.
  }
  return !isThere(path);
}

function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * What there is still of a lab, as sentences; none is what is wanted. Network interfaces need no look of their own: they are
 * in a namespace that goes with its last process and its last mount.
 */
export async function leftBehind(
  scratch: string,
  spaces: Namespaces | null,
  patienceMs = PATIENCE_MS,
): Promise<readonly string[]> {
  // The kernel takes a namespace apart after its last process has been waited for, and tells nobody when it is done.
  await eventually(() => findings(scratch, spaces).length === 0, patienceMs);
  return findings(scratch, spaces);
}

function findings(scratch: string, spaces: Namespaces | null): readonly string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const marks = [scratch, ...(spaces === null ? [] : [spaces.net, spaces.mnt, spaces.pid])];
  return [
    ...(spaces === null ? [] : processesIn(spaces)).map((pid) => `The process ${pid} of the lab was left behind.`),
    ...mounts.filter((line) => marks.some((mark) => line.includes(mark))).map((line) => `A mount was left behind: ${line}`),
    ...cgroupsOf(scratch).map((path) => `The cgroup ${path} was left behind.`),
    ...(isThere(scratch) ? [`The directory ${scratch} was left behind.`] : []),
  ];
}

export function processesIn(spaces: Namespaces): readonly number[] {
  return listProcesses()
    .map(({ pid }) => pid)
    .filter((pid) => {
      try {
        const its = namespacesOf(pid);
        return its.mnt === spaces.mnt || its.net === spaces.net || its.pid === spaces.pid;
      } catch {
        // Gone meanwhile.
        return false;
      }
    });
}

async function eventually(holds: () => boolean, patienceMs = PATIENCE_MS): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!holds() && performance.now() < deadline) await pause(50);
}
