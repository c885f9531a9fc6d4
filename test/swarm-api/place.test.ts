import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DockerApi } from '../../src/swarm/docker-api.ts';
import { SimClock } from '../support/sim-clock.ts';
import { ScriptedApi } from './scripted-api.ts';

/** Where the engine is: swarm.socket, else DOCKER_HOST and its kin, else the usual socket. */
const VARIABLES = ['DOCKER_HOST', 'DOCKER_TLS_VERIFY', 'DOCKER_CERT_PATH', 'DOCKER_CLIENT_TIMEOUT', 'DOCKER_PATH_PREFIX'];
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'reveille-place-'));
  for (const name of VARIABLES) vi.stubEnv(name, undefined);
  vi.stubEnv('HOME', directory);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});

const api = (environment: Readonly<Record<string, string>> = {}, socket: string | null = null): DockerApi => {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  return new DockerApi({ socket, clock: new SimClock() });
};

describe('the engine is at', () => {
  it('the usual socket where nothing is said', () => {
    expect(api().place).toBe('/var/run/docker.sock');
  });

  it('the socket of the config, whatever the environment says', async () => {
    const scripted = await new ScriptedApi().start();
    try {
      const { socket } = scripted;
      const own = api({ DOCKER_HOST: 'tcp://127.0.0.1:1', DOCKER_TLS_VERIFY: '1' }, socket);
      expect(own.place).toBe(socket);
      await own.negotiate();
      expect(scripted.asked.map(({ url }) => url)).toEqual(['/version']);
    } finally {
      await scripted.dispose();
    }
  });

  it.each([
    ['unix:///run/other.sock', '/run/other.sock'],
    ['tcp://engine:1234', 'http://engine:1234'],
    ['engine:1234', 'http://engine:1234'],
    ['tcp://engine', 'http://engine:2375'],
    ['tcp://engine:2376', 'https://engine:2376'],
  ])('DOCKER_HOST: %s is %s', (value, place) => {
    expect(api({ DOCKER_HOST: value }).place).toBe(place);
  });

  it('DOCKER_HOST over TLS where that is asked for', () => {
    const tls = { DOCKER_TLS_VERIFY: '1' };
    expect(api({ DOCKER_HOST: 'tcp://engine:1234', ...tls }).place).toBe('https://engine:1234');
    expect(api({ DOCKER_HOST: 'tcp://engine', ...tls }).place).toBe('https://engine:2376');
  });

  it('a socket to which DOCKER_HOST leads, and it is really spoken to there', async () => {
    const scripted = await new ScriptedApi().start();
    try {
      await api({ DOCKER_HOST: `unix://${scripted.socket}` }).negotiate();
      expect(scripted.asked.map(({ url }) => url)).toEqual(['/version']);
    } finally {
      await scripted.dispose();
    }
  });
});

describe('no sense is made of', () => {
  it.each(['/var/run/docker.sock', 'tcp://'])('DOCKER_HOST: %s, and the message says how it should be', (value) => {
    expect(() => api({ DOCKER_HOST: value })).toThrow('DOCKER_HOST should be something like unix:///run/docker.sock');
  });

  it.each(['tcp://engine:port', 'tcp://:2375', ':::'])('DOCKER_HOST: %s', (value) => {
    expect(() => api({ DOCKER_HOST: value })).toThrow('DOCKER_HOST env variable should be something like tcp://localhost:1234');
  });

  it('DOCKER_CERT_PATH without certificates', () => {
    expect(() => api({ DOCKER_HOST: 'tcp://engine:2376', DOCKER_CERT_PATH: directory })).toThrow(/ca\.pem/);
  });

  it('certificates that are none: the first call says so, and nothing is thrown elsewhere', async () => {
    for (const file of ['ca.pem', 'cert.pem', 'key.pem'])
      writeFileSync(join(directory, file), '-----BEGIN CERTIFICATE-----\ngarbage\n-----END CERTIFICATE-----\n');
    const over = api({ DOCKER_HOST: 'tcp://127.0.0.1:1', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: directory });
    await expect(over.negotiate()).rejects.toMatchObject({
      name: 'ApiFailure',
      message: expect.stringMatching(/DOCKER_CERT_PATH/),
    });
  });
});
