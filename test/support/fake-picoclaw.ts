import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A program that is called as PicoClaw is, `picoclaw agent -m "<prompt>"`, and prints as it does: log lines, an empty line, and
 * the answer after a lobster. What else it does is a piece of shell.
 */
export class FakePicoclaw implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'reveille-picoclaw-'));
  readonly program = join(this.directory, 'picoclaw');

  /** `$prompt` holds what it was asked, `${0%/*}` where files may be left. */
  constructor(script: string) {
    const lines = [
      '#!/bin/sh',
      '[ $# = 3 ] && [ "$1" = agent ] && [ "$2" = -m ] || exit 64',
      'prompt=$3',
      `echo "$$" >> '${this.directory}/pids'`,
      script,
    ];
    writeFileSync(this.program, `${lines.join('\n')}\n`);
    chmodSync(this.program, 0o755);
  }

  /** Words or a haiku, whichever it is asked for. */
  static answering(words: string, haiku: string): FakePicoclaw {
    return new FakePicoclaw(
      [
        'echo "2026/02/11 12:00:00 [INFO] agent: Agent initialized {tools_count=0}"',
        'case $prompt in',
        `*haiku*) printf '\\n🦞 %s\\n' '${haiku}' ;;`,
        `*) printf '\\n🦞 %s\\n' '${words}' ;;`,
        'esac',
      ].join('\n'),
    );
  }

  /** Of every one that was started, its children not among them. */
  get pids(): readonly number[] {
    try {
      return readFileSync(join(this.directory, 'pids'), 'utf8').trim().split('\n').map(Number);
    } catch {
      return [];
    }
  }

  /** What the script wrote to a file beside it. */
  wrote(file: string): string {
    return readFileSync(join(this.directory, file), 'utf8');
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}
