import { describe, expect, it } from 'vitest';
import { readSettings } from '../../agents/trooper/settings.ts';
import { readText } from '../house/tree.ts';
import { readStack } from './stack.ts';

/** The model that troopers may ask: its stack and PicoClaw's config have to mean the same server and the same model as they do. */
const DIGEST = 'ollama/ollama@sha256:1';
const stack = readStack('deploy/ollama.yml', { OLLAMA_IMAGE: DIGEST });
const { ollama } = stack.services;
const port = ollama?.environment?.['OLLAMA_HOST']?.split(':')[1] ?? '';
const asked = readSettings({ OLLAMA_URL: `http://ollama:${port}/api/generate` }, 'world').ollama;

describe('deploy/ollama.yml', () => {
  it('is on the overlay of stack.yml under the name that is dialled, and published nowhere', () => {
    const main = readStack('stack.yml', { REVEILLE_IMAGE: 'x', HELLO_IMAGE: 'x', DOCKER_GID: '999' });
    expect(stack.networks).toEqual({ agents: { external: true, name: main.networks['agents']?.name } });
    expect(Object.keys(stack.services)).toEqual([new URL(asked?.url ?? '').hostname]);
    expect(ollama?.networks).toEqual(['agents']);
    expect(ollama).not.toHaveProperty('ports');
  });

  it('takes Ollama by a digest that is given from outside', () => {
    expect(ollama?.image).toBe(DIGEST);
    expect(() => readStack('deploy/ollama.yml', {})).toThrow('OLLAMA_IMAGE');
  });

  it('keeps the models on a volume, has limits, and nothing else that it can do without', () => {
    expect(stack).toHaveProperty('volumes.models');
    expect(ollama).toMatchObject({
      volumes: ['models:/root/.ollama', { type: 'tmpfs', target: '/tmp' }],
      init: true,
      read_only: true,
      cap_drop: ['ALL'],
      deploy: {
        replicas: 1,
        endpoint_mode: 'dnsrr',
        resources: { limits: { cpus: expect.any(String), memory: expect.any(String), pids: expect.any(Number) } },
      },
    });
  });

  it('says how to fetch the model that troopers ask for where they are told of none', () => {
    expect(readText('deploy/ollama.yml')).toContain(`ollama pull ${asked?.model ?? ''} `);
  });
});

describe('deploy/picoclaw.config.json', () => {
  const config = JSON.parse(readText('deploy/picoclaw.config.json'));

  it('has PicoClaw ask the same model of the same server', () => {
    expect(config.model_list).toMatchObject([{ model: `ollama/${asked?.model ?? ''}`, api_base: `http://ollama:${port}/v1` }]);
    expect(config.agents.defaults.model_name).toBe(config.model_list[0].model_name);
  });

  it('gives the model no tool, since what it says comes from whoever trained it', () => {
    const tools = Object.values<{ readonly enabled: boolean }>(config.tools);
    expect(tools.filter(({ enabled }) => enabled)).toEqual([]);
    expect(Object.keys(config.tools)).toEqual(
      expect.arrayContaining(['exec', 'mcp', 'web', 'web_fetch', 'read_file', 'write_file']),
    );
    expect(config.heartbeat).toEqual({ enabled: false });
  });
});
