import { type ChildProcess, spawn } from 'node:child_process';
import type { Alarm, Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { after, millisOf } from '../std/time.ts';

/**
 * Ends the children at once when the daemon is killed so hard that it cannot do so itself (promise K). A shell of 2 MB holds
 * the reading end of a pipe whose writing end only the daemon has. The end of the pipe is the end of the daemon, however it
 * came about; then the shell ends every group it was told of, and itself. Asking the kernel to do it (PR_SET_PDEATHSIG) was
 * rejected: it reaches the direct child only, and fires when the thread that started it ends.
 */
const SCRIPT = `
trap '' HUP INT QUIT TERM
groups=' '
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) case $groups in *" $group "*) groups="\${groups%%" $group "*} \${groups#*" $group "}" ;; esac ;;
  esac
done
for group in $groups; do
  kill -s TERM -- "-$group"
  kill -s CONT -- "-$group"
done
looks=0
while [ "$looks" -lt 20 ]; do
  left=' '
  for group in $groups; do kill -s 0 -- "-$group" && left="$left$group "; done
  groups=$left
  [ "$groups" = ' ' ] && exit 0
  sleep 0.1
  looks=$((looks + 1))
done
for group in $groups; do kill -s KILL -- "-$group"; done
`;
// `kill -KILL -- -PG` is an illegal number to dash; only the form with -s works in every sh.

const AGAIN_MS = 1000;
const AGAIN_MAX = 5;
const CLOSE_MS = 5000;

export class Guardian {
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly groups = new Set<number>();
  private shell: ChildProcess | null = null;
  private again: Alarm | null = null;
  private failures = 0;
  private closing = false;

  constructor(clock: Clock, log: Log) {
    this.clock = clock;
    this.log = log;
  }

  get pid(): number | null {
    return this.shell?.pid ?? null;
  }

  start(): void {
    // Detached: Ctrl-C in a terminal goes to the whole foreground group, and the guardian must outlive the daemon. With
    // hardly any environment, so that it does not carry an owner mark and is not mistaken for a leftover.
    const shell: ChildProcess = spawn('/bin/sh', ['-c', SCRIPT], {
      detached: true,
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    });
    this.shell = shell;
    // Without a descriptor left there is no pipe either, and 'error' says so.
    shell.stdin?.on('error', () => {
      // It is gone; 'exit' follows and says so.
    });
    shell.once('error', (error) => {
      this.ended(shell, error.message);
    });
    shell.once('exit', (code, signal) => {
      this.ended(shell, signal ?? `exit code ${String(code)}`);
    });
    for (const group of this.groups) this.say('+', group);
    this.log.debug('guardian started', { pid: shell.pid ?? null });
  }

  watch(group: number): void {
    this.groups.add(group);
    this.say('+', group);
  }

  forget(group: number): void {
    this.groups.delete(group);
    this.say('-', group);
  }

  /** Lets it go. It finds no groups left to end, if all were forgotten. */
  async close(): Promise<void> {
    this.closing = true;
    this.again?.cancel();
    const shell = this.shell;
    if (shell === null) return;
    await new Promise<void>((resolve) => {
      // Nothing known makes it stay, but a shutdown waits for nothing without a limit.
      const limit = this.clock.alarm(after(this.clock.now(), millisOf(CLOSE_MS)), () => {
        shell.kill('SIGKILL');
      });
      shell.once('exit', () => {
        limit.cancel();
        resolve();
      });
      shell.stdin?.end();
    });
  }

  private say(sign: '+' | '-', group: number): void {
    this.shell?.stdin?.write(`${sign} ${group}\n`);
  }

  private ended(shell: ChildProcess, because: string): void {
    if (this.shell !== shell) return;
    this.shell = null;
    if (this.closing) return;
    this.failures += 1;
    if (this.failures > AGAIN_MAX) {
      this.log.error('guardian cannot be kept; agents may outlive a killed daemon until its next start', { because });
      return;
    }
    this.log.warn('guardian ended; it is started again', { because });
    this.again = this.clock.alarm(after(this.clock.now(), millisOf(AGAIN_MS)), () => {
      this.start();
    });
  }
}
