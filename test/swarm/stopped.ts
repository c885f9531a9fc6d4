import { readFileSync } from 'node:fs';

/**
 * Whether this process of a container is stopped, by the freezer of its cgroup: a controller of its own in version 1
 * (freezer-subsystem.txt), a file of each group in version 2.
 */
export function isStopped(pid: number): boolean {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n');
  const pathOf = (part: string): string | undefined => lines.find((line) => line.includes(part))?.split(':')[2];
  const first = pathOf(':freezer:');
  if (first !== undefined) return readFileSync(`/sys/fs/cgroup/freezer${first}/freezer.state`, 'utf8').trim() === 'FROZEN';
  return readFileSync(`/sys/fs/cgroup${pathOf('0::') ?? ''}/cgroup.events`, 'utf8').includes('frozen 1');
}
