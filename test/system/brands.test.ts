import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { configFromText } from '../../src/config/load.ts';
import type { Config } from '../../src/contract/config.ts';
import { Brands, LOGO_BYTES_MAX, logoUri } from '../../src/system/brands.ts';
import { RecordingLog } from '../support/recording-log.ts';

let directory = '';
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'reveille-brands-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function fileOf(content: string | Buffer, name = 'logo'): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function configOf(page: object): Config {
  const kai = { hostname: 'kai.test', process: { command: ['node'] }, page };
  const loaded = configFromText(JSON.stringify({ agents: { kai } }), join(directory, 'o.yaml'), {});
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.failure));
  return loaded.value.config;
}

const PNG = Buffer.from('89504e470d0a1a0a0000', 'hex');
const SVG = '<?xml version="1.0"?>\n<!-- a > b -->\n<svg xmlns="http://www.w3.org/2000/svg"/>';

test('a logo is told by what is in it, whatever it is called', () => {
  const typeOf = (content: string | Buffer): string => {
    const read = logoUri(fileOf(content));
    return read.ok ? (/^data:([^;]*);base64,/.exec(read.value)?.[1] ?? '') : read.failure.replace(directory, '');
  };
  expect(typeOf(PNG)).toBe('image/png');
  expect(typeOf(Buffer.from('ffd8ffe0', 'hex'))).toBe('image/jpeg');
  expect(typeOf('GIF89a')).toBe('image/gif');
  expect(typeOf('RIFF\x01\x02\n\x03WEBPVP8 ')).toBe('image/webp');
  for (const svg of [SVG, '<svg/>', '\ufeff <svg>', '<!DOCTYPE svg PUBLIC "a" "b"><svg >']) {
    expect(typeOf(svg.replace('<svg/>', '<svg />'))).toBe('image/svg+xml');
  }
  for (const other of ['', '<html><svg >', 'RIFF1234WAVE', '%PDF-1.7', '<svgx>']) {
    expect(typeOf(other)).toBe('/logo is no SVG, PNG, JPEG, WebP or GIF');
  }
});

test('a logo that is not there, too large or no file is one line in the log, and the page does without', () => {
  const largest = fileOf(Buffer.concat([PNG, Buffer.alloc(LOGO_BYTES_MAX - PNG.length)]), 'largest');
  const larger = fileOf(Buffer.concat([PNG, Buffer.alloc(LOGO_BYTES_MAX - PNG.length + 1)]), 'larger');
  const pipe = join(directory, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const log = new RecordingLog();
  const brands = new Brands(log);
  brands.learn(configOf({ logo: largest }));
  expect(brands.of('kai').logo).toMatch(/^data:image\/png;base64,/);
  expect(log.lines).toEqual([]);
  for (const [logo, because] of [
    ['none.png', 'none.png cannot be read: there is no such file'],
    [larger, 'larger is larger than 64 KB'],
    [pipe, 'pipe is no regular file'],
    [directory, 'is no regular file'],
  ] as const) {
    brands.learn(configOf({ logo }));
    expect(brands.of('kai')).toEqual({ title: 'kai', logo: null, accent: '#3a6ea5' });
    const last = log.lines.at(-1);
    expect([last?.level, last?.message, last?.facts['agent']]).toEqual(['warn', 'logo is left out of the waiting page', 'kai']);
    expect(last?.facts['detail']).toContain(because);
  }
});

test('a path to a logo starts at the directory of the config file', () => {
  fileOf(SVG, 'logo.svg');
  const brands = new Brands(new RecordingLog());
  brands.learn(configOf({ logo: 'logo.svg', title: 'Kai’s Studio', accent: '#0A7' }));
  expect(brands.of('kai')).toMatchObject({ title: 'Kai’s Studio', accent: '#0A7' });
  expect(brands.of('kai').logo).toMatch(/^data:image\/svg\+xml;base64,/);
});

test('an agent that is in no file has a page as well', () => {
  expect(new Brands(new RecordingLog()).of('made')).toEqual({ title: 'made', logo: null, accent: '#3a6ea5' });
});
