import { ProcessEngine } from '../../src/process/engine.ts';
import { RecordingWatcher } from '../support/recording-watcher.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { ScaledClock } from '../support/scaled-clock.ts';
import { output, script, workload } from './rig.ts';

/**
 * The smallest daemon: it runs one agent on the state_dir it is given, says which processes there are, and waits to be
 * killed. The agent has a child in its group and one that has left it; none of them ends on SIGTERM. With a second argument
 * its agent is another one, frozen by then, which ends on SIGTERM and leaves a file of that name.
 */
const STAY = `process.on('SIGTERM', () => undefined); setInterval(() => undefined, 1000);`;
const FAMILY = `
  const { spawn } = require('node:child_process');
  const stay = (detached) => spawn(process.execPath, ['--eval', ${JSON.stringify(`${STAY} console.log('up')`)}], { detached, stdio: ['ignore', 'pipe', 'ignore'] });
  const family = [stay(false), stay(true)];
  ${STAY}
  let up = 0;
  for (const each of family) each.stdout.once('data', () => (up += 1) === 2 && console.log('pids', process.pid, ...family.map((each) => each.pid)));
`;

const [, , stateDir = '', farewell] = process.argv;
const POLITE = `
  process.on('SIGTERM', () => { require('node:fs').writeFileSync(${JSON.stringify(farewell)}, ''); process.exit(0); });
  setInterval(() => undefined, 1000);
  console.log('pids', process.pid);
`;
const log = new RecordingLog();
const engine = new ProcessEngine({
  clock: new ScaledClock(),
  log,
  stateDir,
  host: '127.0.0.1',
  reveilleUrl: () => 'http://127.0.0.1:9180',
  reservedPorts: () => ({ own: new Set(), fixed: new Set() }),
});
await engine.open(new RecordingWatcher());
engine.declare(workload(script(farewell === undefined ? FAMILY : POLITE)));
await engine.scale('kai', 1);
const [, leader, inGroup = leader, apart = leader] = (await output(log, 'pids ')).split(' ').map(Number);
if (farewell !== undefined) await engine.freeze('kai');
process.stdout.write(`${JSON.stringify({ leader, inGroup, apart, guardian: engine.guardianPid })}\n`);
