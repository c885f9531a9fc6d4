import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { join } from 'node:path';
import { baseImageRoot, npmRegistry } from './base.ts';
import type { Orders } from './inside.ts';
import { Unfit, prepareMachine } from './needs.ts';
import { searchPath } from './packages.ts';
import { openProxy } from './proxy.ts';
import { type Namespaces, namespacesOf } from './namespaces.ts';
import { cgroupParent, leftBehind, makeScratch, removeScratch, sweep } from './scratch.ts';

/**
 * `node test/lab/run.ts -- <command>`: a Docker Swarm in network, mount and process namespaces of its own, the command in
 * there, and then nothing of it any more. This is the part outside: it prepares the machine, opens the way to the registry,
 * waits, cleans up, and looks whether all is gone. The exit code is the command's; what was left behind makes it 1.
 */
const separator = process.argv.indexOf('--');
const command = separator < 0 ? [] : process.argv.slice(separator + 1);
if (command.length === 0) {
  console.error('usage: node test/lab/run.ts -- <command> [arguments]');
  process.exit(2);
}

/** How long the lab may take to notice that it is to end, before it is ended. */
const END_MS = 60_000;

const stop = new AbortController();
let exitCode = 1;
const stopped = (code: number) => (): void => {
  if (!stop.signal.aborted) exitCode = code;
  stop.abort();
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stopped(128 + constants.signals[signal]));
// Where another program of ours has started this one, its end is ours too.
process.once('disconnect', stopped(1));

/** Resolves to the command's exit code once the lab's process 1 has been waited for. */
async function live(orders: Orders, seen: (spaces: Namespaces) => void): Promise<number> {
  // Process 1 is a shell, because somebody has to wait for orphans and Node does not. The two deaths tie it to this process:
  // unshare dies when this one does, and the shell when unshare does.
  const command = [
    ...['setpriv', '--pdeathsig=KILL'],
    ...['unshare', '--mount', '--net', '--pid', '--uts', '--ipc', '--fork', '--kill-child', '--mount-proc'],
    ...['sh', '-c', '"$@"; exit $?', 'sh', process.execPath, join(import.meta.dirname, 'inside.ts')],
  ];
  const env = { ...process.env, PATH: searchPath(), REVEILLE_LAB_ORDERS: JSON.stringify(orders) };
  const child = spawn(command[0] ?? '', command.slice(1), { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], env });
  child.on('message', (spaces) => seen(spaces as Namespaces));
  const hangUp = (): void => {
    if (child.connected) child.disconnect();
    setTimeout(() => child.kill('SIGKILL'), END_MS).unref();
  };
  stop.signal.addEventListener('abort', hangUp);
  if (stop.signal.aborted) hangUp();
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

async function main(): Promise<void> {
  await prepareMachine();
  await sweep();
  const scratch = makeScratch();
  let spaces: Namespaces | null = null;
  try {
    const registry = await npmRegistry();
    const baseTar = await baseImageRoot(registry, scratch, stop.signal);
    const proxySocket = join(scratch, 'proxy.sock');
    const proxy = await openProxy(proxySocket, registry.authority);
    const orders = {
      ...{ scratch, proxySocket, baseTar, command },
      ...{ cgroupParent: cgroupParent(scratch), registry: registry.url, outside: namespacesOf('self') },
    };
    const code = stop.signal.aborted ? 1 : await live(orders, (told) => (spaces = told));
    if (!stop.signal.aborted) exitCode = code;
    proxy.close();
  } finally {
    await removeScratch(scratch);
    const left = await leftBehind(scratch, spaces);
    for (const sentence of left) console.error(sentence);
    if (left.length > 0) exitCode = 1;
  }
}

try {
  await main();
} catch (error) {
  if (stop.signal.aborted) console.error('stopped');
  else console.error(error instanceof Unfit ? error.message : error);
}
process.exit(exitCode);
