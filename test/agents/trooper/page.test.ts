import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify from 'fastify';
import { expect, it as plainIt } from 'vitest';
import { servePage } from '../../../agents/trooper/page.ts';

const it = plainIt.extend<{ folder: string }>({
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'reveille-page-'));
    await use(folder);
    rmSync(folder, { recursive: true });
  },
});

function serve(folder: string) {
  const http = Fastify();
  servePage(http, folder);
  return http;
}

function built(folder: string): string {
  mkdirSync(join(folder, 'dist/assets'), { recursive: true });
  writeFileSync(join(folder, 'dist/index.html'), '<!doctype html>');
  writeFileSync(join(folder, 'dist/assets/a-1.js'), 'js');
  writeFileSync(join(folder, 'dist/assets/a-1.css'), 'css');
  writeFileSync(join(folder, 'secret.js'), 'secret');
  return join(folder, 'dist');
}

it('the document is sent once and after that only when it is another one', async ({ folder }) => {
  const http = serve(built(folder));
  const first = await http.inject('/');
  expect(first).toMatchObject({ statusCode: 200, body: '<!doctype html>' });
  expect(first.headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' });
  const again = await http.inject({ url: '/', headers: { 'if-none-match': String(first.headers['etag']) } });
  expect(again).toMatchObject({ statusCode: 304, body: '' });
  writeFileSync(join(folder, 'dist/index.html'), '<!doctype html><p>');
  expect((await serve(join(folder, 'dist')).inject('/')).headers['etag']).not.toBe(first.headers['etag']);
});

it('the policy lets the page run its own files and nothing else', async ({ folder }) => {
  const http = serve(built(folder));
  for (const url of ['/', '/assets/a-1.js', '/assets/none.js']) {
    const { headers } = await http.inject(url);
    const policy = String(headers['content-security-policy']);
    expect(policy).toMatch(/^default-src 'none'; /);
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
  }
});

it('what it is built of is kept by browsers for ever, each file with its type', async ({ folder }) => {
  const http = serve(built(folder));
  const script = await http.inject('/assets/a-1.js');
  expect(script.body).toBe('js');
  expect(script.headers).toMatchObject({
    'content-type': 'text/javascript; charset=utf-8',
    'cache-control': 'public, max-age=31536000, immutable',
  });
  expect((await http.inject('/assets/a-1.css')).headers['content-type']).toBe('text/css; charset=utf-8');
});

it('no path leads out of the built files', async ({ folder }) => {
  const http = serve(built(folder));
  for (const name of [
    '../../secret.js',
    '..%2f..%2fsecret.js',
    '%2e%2e/%2e%2e/secret.js',
    '..\\..\\secret.js',
    'a-1.js%00',
    'constructor',
    '',
  ]) {
    const answer = await http.inject(`/assets/${name}`);
    expect(answer.statusCode, name).toBe(404);
    expect(answer.body).not.toBe('secret');
  }
});

it('a checkout without a built page says how to build it', async ({ folder }) => {
  const answer = await serve(join(folder, 'nothing')).inject('/');
  expect(answer.statusCode).toBe(500);
  expect(answer.body).toContain('npm run build:page');
});
