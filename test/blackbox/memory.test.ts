import { get } from 'node:http';
import { createInterface } from 'node:readline';
import { expect } from 'vitest';
import { type Daemon, type DaemonEvent, it, program } from '../support/daemon.ts';
import { Recording } from '../support/recording.ts';

/** What a reader is told who comes back and has seen everything up to `last`. */
function since(daemon: Daemon, last: number): Recording<DaemonEvent> {
  const told = new Recording<DaemonEvent>('what is told again');
  const headers = { authorization: `Bearer ${daemon.adminToken}`, 'last-event-id': String(last) };
  const stream = get({ host: '127.0.0.1', port: daemon.adminPort, path: '/admin/events', headers, agent: false }, (response) => {
    const lines = createInterface(response);
    lines.on('error', () => undefined);
    lines.on('line', (line) => {
      if (line.startsWith('data: ')) told.push(JSON.parse(line.slice('data: '.length)));
    });
    response.on('close', () => told.end('the stream has ended'));
  });
  stream.on('error', (error) => told.end(error.message));
  return told;
}

it('what happened, who was used and what is kept asleep are known after kill -9 as before', async ({ home }) => {
  const hello = { process: program('agents/hello/main.ts'), idle: { timeout: '1m' } };
  const at = home({ agents: { hello, dozy: hello } });
  const first = await at.start();
  await first.wake('hello');
  const kept = await first.admin('/admin/agents/dozy/override', { method: 'PUT', json: { state: 'asleep' } });
  expect(kept.json.override).toMatchObject({ state: 'asleep' });
  await first.event('agent.kept', 'dozy');
  const seen = [...first.events.items];
  expect(seen.map(({ id }) => id)).toEqual(seen.map((_, index) => (seen[0]?.id ?? 0) + index));
  const used = Date.parse((await first.view('hello')).last_activity);
  first.run.signal('SIGKILL');
  await first.run.exit;

  const second = await at.start();
  const view = await second.view('hello');
  expect(view.state).toBe('sleeping');
  // Of work that has just ended, the last second may be lost.
  expect(Math.abs(Date.parse(view.last_activity) - used)).toBeLessThan(60_000);
  expect((await second.view('dozy')).override).toEqual(kept.json.override);
  const refused = await second.call('dozy');
  expect([refused.status, refused.json.type]).toEqual([503, expect.stringMatching(/kept-asleep$/)]);

  const told = since(second, seen[0]?.id ?? 0);
  await second.admin('/admin/agents/dozy/override', { method: 'DELETE' });
  const released = await told.first('the release', ({ type }) => type === 'agent.released');
  const all = told.items.filter(({ id }) => id <= released.id);
  expect(all.slice(0, seen.length - 1)).toEqual(seen.slice(1));
  expect(all.map(({ id }) => id)).toEqual(all.map((_, index) => (seen[1]?.id ?? 0) + index));
  expect((await second.wake('dozy')).status).toBe(200);
});
