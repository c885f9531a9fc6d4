import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const HELLO = '../../agents/hello/main.ts';

/** An agent as a real process with an environment of its own; ended, by force if need be, when it is disposed of. */
export class AgentProcess implements AsyncDisposable {
  readonly url: string;
  readonly lines: string[];
  readonly exit: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess, url: string, lines: string[], exit: AgentProcess['exit']) {
    this.child = child;
    this.url = url;
    this.lines = lines;
    this.exit = exit;
  }

  /** Resolves once it listens; rejects with what it wrote when it ends before. */
  static async start(main: string, environment: Readonly<Record<string, string>> = {}): Promise<AgentProcess> {
    const child = spawn(process.execPath, [fileURLToPath(new URL(main, import.meta.url))], {
      env: { PORT: '0', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const exit = once(child, 'close').then(([code, signal]) => ({ code, signal }));
    const lines: string[] = [];
    const url = await new Promise<string>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface(stream).on('line', (line) => {
          lines.push(line);
          const address = /listening at (http:[^"]+)/.exec(line)?.[1];
          if (address !== undefined) resolve(address);
        });
      }
      void exit.then(({ code }) => reject(new Error(`it ended with ${String(code)}: ${lines.join('\n')}`)));
    });
    return new AgentProcess(child, url, lines, exit);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get webSocketUrl(): string {
    return this.url.replace('http', 'ws') + '/ws';
  }

  /** The message of the last line that it logged. */
  get last(): unknown {
    return (JSON.parse(this.lines.at(-1) ?? '{}') as { readonly msg?: unknown }).msg;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exit;
  }
}
