import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** How much of the machine went to others while the bench ran: where that is much, no figure of it is worth anything. */
const TICKS_PER_SECOND = 100;

export class Weather {
  private readonly since = { at: performance.now(), busy: busySeconds(), own: ownSeconds() };

  /** Of all cores, in percent. Only right once every child of this process has ended. */
  othersPercent(): number {
    const others = busySeconds() - this.since.busy - (ownSeconds() - this.since.own);
    const elapsed = (performance.now() - this.since.at) / 1000;
    return Math.max(0, (others / elapsed / availableParallelism()) * 100);
  }
}

/** Everything but idle and waiting for disks, with what the host took away. */
function busySeconds(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)[0]!
    .split(/\s+/)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}

/** Of this process and of all that it has started and that have ended, and theirs. */
function ownSeconds(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND;
}
