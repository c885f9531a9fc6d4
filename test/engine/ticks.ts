import { readFileSync } from 'node:fs';

/** CPU that a process has used, for itself and in the kernel, in ticks: fields 14 and 15 of proc_pid_stat(5). */
export function ticksOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // After the program's name, which may hold brackets and spaces, field 3 follows.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
