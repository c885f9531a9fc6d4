import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { configFromText } from '../../src/config/load.ts';
import { parseListen } from '../../src/contract/address.ts';
import { readText } from '../house/tree.ts';

/** What can be seen of the image without building it; the suite on a real Swarm builds it. */
const TEXT = readText('Dockerfile').replaceAll(/\\\n/g, ' ');
const lines = (word: string): readonly string[] =>
  TEXT.split('\n')
    .filter((line) => line.startsWith(`${word} `))
    .map((line) => line.slice(word.length + 1).trim());
const path = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const sources = lines('COPY')
  .filter((line) => !line.startsWith('--from'))
  .flatMap((line) => line.split(/\s+/).slice(0, -1));

describe('the Dockerfile', () => {
  it('stands on one image, which an operator can pin', () => {
    expect(lines('ARG')).toEqual(['NODE_IMAGE=node:24-bookworm-slim']);
    const bases = lines('FROM').map((line) => line.split(' ')[0]);
    expect(new Set(bases)).toEqual(new Set(['${NODE_IMAGE}', 'runtime', 'development']));
  });

  it('asks for nothing that the classic builder does not have', () => {
    expect(TEXT).not.toMatch(/^(?:RUN|COPY|ADD) --(?!from)/m);
    expect(TEXT).not.toContain('<<');
  });

  it('copies what is there, and what .dockerignore lets through', () => {
    const allowed = readText('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    expect(sources.filter((source) => !existsSync(path(source)))).toEqual([]);
    expect(
      sources.filter(
        (source) =>
          !allowed.some((entry) => source === entry || source.startsWith(`./${entry}`) || source.startsWith(`${entry}/`)),
      ),
    ).toEqual([]);
    expect(readText('.dockerignore').split('\n')).toContain('*');
  });

  it('ends every image that runs as a user who is not root', () => {
    const stages = TEXT.split(/^FROM /m).slice(1);
    const last = (name: string) =>
      [...(stages.find((stage) => stage.includes(` AS ${name}\n`)) ?? '').matchAll(/^USER (.*)$/gm)].at(-1)?.[1];
    for (const name of ['runtime', 'world', 'reveille']) expect([name, last(name)]).toEqual([name, '10001:10001']);
  });

  it('says which version it is', () => {
    const { version } = JSON.parse(readText('package.json'));
    expect([...TEXT.matchAll(/image\.version="([^"]*)"/g)].map(([, label]) => label)).toEqual([version, version, version]);
  });

  it('looks at the port where the bundled config has the internal one', () => {
    const loaded = configFromText(readText('deploy/orchestrator.swarm.yaml'), path('deploy/orchestrator.swarm.yaml'), {});
    const port = loaded.ok ? parseListen(loaded.value.config.admin_listen)?.port : null;
    expect(lines('HEALTHCHECK')[0]).toMatch(new RegExp(`CMD \\["healthcheck", "${String(port)}"\\]$`));
    expect(statSync(path('deploy/healthcheck')).mode & 0o111).toBe(0o111);
  });
});
