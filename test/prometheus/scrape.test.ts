import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'vitest';
import { call } from '../support/call.ts';
import { it, program } from '../support/daemon.ts';

const hello = { process: program('agents/hello/main.ts'), idle: { timeout: '1s' } };
const ANSWER_LIMIT_MS = 200_000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A real Prometheus that scrapes one target each second; `query` asks it. */
async function prometheus(target: number, token: string) {
  const directory = mkdtempSync(join(tmpdir(), 'reveille-prometheus-'));
  const job = {
    job_name: 'reveille',
    authorization: { credentials: token },
    static_configs: [{ targets: [`127.0.0.1:${target}`] }],
  };
  // JSON is YAML.
  writeFileSync(join(directory, 'prometheus.yml'), JSON.stringify({ global: { scrape_interval: '1s' }, scrape_configs: [job] }));
  const port = await freePort();
  const flags = [
    `--config.file=${directory}/prometheus.yml`,
    `--storage.tsdb.path=${directory}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  const child = spawn('prometheus', flags, { stdio: 'ignore' });
  const query = async (text: string): Promise<number | null> => {
    const reply = await call({ port, path: `/api/v1/query?query=${encodeURIComponent(text)}` }).catch(() => null);
    const value = reply?.status === 200 ? reply.json.data.result[0]?.value[1] : undefined;
    return value === undefined ? null : Number(value);
  };
  return {
    /** Prometheus tells nobody when it has scraped, so it is asked until it says so. */
    until: async (text: string, expected: number): Promise<void> => {
      const end = Date.now() + ANSWER_LIMIT_MS;
      let last: number | null = null;
      while (Date.now() < end) {
        last = await query(text);
        if (last === expected) return;
        await wait(200);
      }
      throw new Error(`Prometheus says ${String(last)} to ${text}, not ${expected}`);
    },
    stop: async (): Promise<void> => {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

it('a real Prometheus scrapes the daemon, and its queries tell the life of an agent', async ({ start }) => {
  const daemon = await start({ metrics: { auth: 'bearer' }, agents: { hello } });
  const server = await prometheus(daemon.adminPort, daemon.adminToken);
  try {
    await server.until('up{job="reveille"}', 1);
    await server.until('reveille_agent_state{agent="hello",state="sleeping"}', 1);
    expect((await daemon.wake('hello')).status).toBe(200);
    await daemon.event('agent.sleep', 'hello');
    await server.until('reveille_wakes_total{agent="hello",cause="request"}', 1);
    await server.until('reveille_sleeps_total{agent="hello",reason="idle"}', 1);
    await server.until('reveille_wake_duration_seconds_count{agent="hello",result="ready"}', 1);
    await server.until('sum(reveille_requests_total{agent="hello",class="2xx"})', 1);
  } finally {
    await server.stop();
  }
});

it('promtool finds nothing to say about what a daemon with a life behind it exposes', async ({ start }) => {
  const daemon = await start({ agents: { hello } });
  await daemon.wake('hello');
  const { text } = await daemon.admin('/metrics');
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' });
});
