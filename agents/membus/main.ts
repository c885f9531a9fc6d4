import { EXIT } from '../../src/contract/problems.ts';
import { runAgent } from '../kit/agent.ts';
import { EnvironmentError } from '../kit/environment.ts';
import { JournalError, openJournal } from './journal.ts';
import { Keeper } from './keeper.ts';
import { SAID } from './request.ts';
import { type Server, listen } from './server.ts';
import { type Settings, readSettings } from './settings.ts';
import { type Stats, StatsSchema, statsAnswer } from './stats.ts';
import { Store } from './store.ts';

/**
 * A memcached for those who have none: the text protocol on a port of its own, and a memory that outlives its process. HTTP is
 * there for the daemon's health check and for whoever wants to know how it goes. It listens on HTTP last, so whoever finds it
 * healthy finds memcached there too.
 */
const SWEEP_EVERY_MS = 1000;

await runAgent(async (agent) => {
  const settings = orExit(() => readSettings(process.env, agent.environment.host));
  const { store, journal } = orExit(() => {
    const opened = openJournal(settings.file, Date.now());
    const loaded = new Store({ bytesMax: settings.bytesMax, lastUnique: opened.lastUnique });
    for (const [key, item] of opened.items) loaded.load(key, item);
    return { store: loaded, journal: opened.journal };
  });
  const startedAt = performance.now();
  let server: Server | null = null;
  const stats = (): Stats => ({
    uptime_seconds: Math.floor((performance.now() - startedAt) / 1000),
    connections: server?.connections ?? 0,
    items: store.count,
    bytes: store.bytes,
    bytes_max: store.bytesMax,
    evictions: store.evictions,
    ...keeper.tally,
    failed_writes: keeper.failedWrites,
  });
  const keeper: Keeper = new Keeper(store, journal, () => statsAnswer(stats(), SAID.version.replace('VERSION ', '')));
  keeper.sweep(Date.now());
  const listening = await listen({ ...settings, carryOut: (requests) => keeper.carryOut(requests, Date.now()) }).catch(
    (error: unknown) => exitDeaf(settings, error as NodeJS.ErrnoException),
  );
  server = listening;
  agent.http.log.info({ host: settings.host, port: listening.port, items: store.count }, 'memcached listens');

  let failuresTold = 0;
  const sweeping = setInterval(() => {
    keeper.sweep(Date.now());
    if (keeper.failedWrites > failuresTold) {
      agent.http.log.error({ err: keeper.lastFailure, failed_writes: keeper.failedWrites }, 'cannot write, storing is refused');
    }
    failuresTold = keeper.failedWrites;
  }, SWEEP_EVERY_MS);
  for (const path of ['/', '/stats']) agent.http.get(path, { schema: { response: { 200: StatsSchema } } }, stats);
  agent.onStop(async () => {
    await listening.close();
    clearInterval(sweeping);
    journal.close();
  });
});

/** What is wrong with the environment or the file is one line, and the exit code says whose turn it is. */
function orExit<T>(attempt: () => T): T {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof JournalError) return exit(error.inUse ? EXIT.stateDirInUse : EXIT.badConfig, error.message);
    if (error instanceof EnvironmentError) return exit(EXIT.badConfig, error.message);
    throw error;
  }
}

function exitDeaf({ host, port }: Settings, { code, message }: NodeJS.ErrnoException): never {
  const taken = code === 'EADDRINUSE';
  const why = taken ? 'another process listens there' : message;
  return exit(taken ? EXIT.stateDirInUse : EXIT.badConfig, `MEMBUS_PORT: cannot listen on ${host}:${port}: ${why}`);
}

function exit(code: number, line: string): never {
  process.stderr.write(`${line}\n`);
  return process.exit(code);
}
