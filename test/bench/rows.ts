import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nginxProgram } from './peers.ts';
import type { Program } from './measure.ts';
import type { Load } from './wrk.ts';

/** What is asked of every proxy under full load: each row with its origin, its request, and the answer that has to come. */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly largeBodies: boolean;
  readonly method: 'GET' | 'POST';
  readonly load: Load;
  /** Sent with POST. */
  readonly bodyBytes: number;
  readonly answerBytes: number;
  /** Header lines that have to come through, by name in lower case. */
  readonly answerHeaders: readonly string[];
  readonly origin: (directory: string, port: number) => Program;
}

const MEBIBYTE = 1024 * 1024;
const UPLOAD_BYTES = 100 * 1024;
const SMALL_BYTES = 64;
export const ORIGIN = join(import.meta.dirname, 'origin.ts');

/** With Host, and the Accept-Encoding that a browser sends: thirteen. */
const REQUEST_HEADERS = {
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Accept-Encoding': 'gzip, deflate, br',
  'Accept-Language': 'en-GB,en;q=0.9,de;q=0.8',
  'Cache-Control': 'no-cache',
  Cookie: 'session=0123456789abcdef0123456789abcdef; theme=dark; consent=1',
  Referer: 'http://bench.localhost/overview?page=2',
  'Sec-Fetch-Dest': 'document',
  'Sec-Fetch-Mode': 'navigate',
  'Sec-Fetch-Site': 'same-origin',
  'Upgrade-Insecure-Requests': '1',
  'X-Client-Version': '4.18.2',
};

/** With the Server, Date, Content-Type, Content-Length and Connection of nginx: thirteen. */
const ANSWER_HEADERS = {
  'Cache-Control': 'private, max-age=0, must-revalidate',
  'Content-Language': 'en',
  ETag: '\\"5f3e-1a2b3c4d5e6f7a8b\\"',
  'Referrer-Policy': 'strict-origin-when-cross-origin',
  'Set-Cookie': 'session=0123456789abcdef0123456789abcdef; Path=/; HttpOnly; SameSite=Lax',
  Vary: 'Accept-Encoding, Cookie',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'SAMEORIGIN',
};

function fromNginx(directory: string, port: number): Program {
  const small = 'x'.repeat(SMALL_BYTES);
  const lines = Object.entries(ANSWER_HEADERS).map(([name, value]) => `add_header ${name} "${value}";`);
  mkdirSync(join(directory, 'files'), { recursive: true });
  writeFileSync(join(directory, 'files', 'large'), Buffer.alloc(MEBIBYTE, 'x'));
  return nginxProgram(
    { directory, port },
    `sendfile on; open_file_cache max=10; server { listen 127.0.0.1:${port} backlog=4096; root ${directory}/files;
      location = / { return 200 "${small}"; }
      location = /headers { ${lines.join(' ')} return 200 "${small}"; }
      location = /large { }
    }`,
  );
}

const fromNode = (_: string, port: number): Program => ({ command: [process.execPath, ORIGIN, `${port}`], port });

/** What wrk cannot be told by its arguments. */
export function uploadScript(directory: string): string {
  const file = join(directory, 'upload.lua');
  writeFileSync(
    file,
    `wrk.method = "POST"\nwrk.body = string.rep("x", ${UPLOAD_BYTES})\nwrk.headers["Content-Type"] = "text/plain"\n`,
  );
  return file;
}

const GET = {
  largeBodies: false,
  method: 'GET',
  bodyBytes: 0,
  answerBytes: SMALL_BYTES,
  answerHeaders: [],
  origin: fromNginx,
} as const;

export const rows = (directory: string): readonly Row[] => [
  { ...GET, id: 'small', title: 'small GET', load: { path: '/' } },
  {
    ...GET,
    id: 'headers',
    title: 'small GET with 13 request and 13 response headers',
    load: { path: '/headers', headers: REQUEST_HEADERS },
    answerHeaders: Object.keys(ANSWER_HEADERS).map((name) => name.toLowerCase()),
  },
  { ...GET, id: 'large', title: '1 MiB answer', largeBodies: true, load: { path: '/large' }, answerBytes: MEBIBYTE },
  {
    ...GET,
    id: 'chunked',
    title: '1 MiB answer, chunked',
    largeBodies: true,
    load: { path: '/' },
    answerBytes: MEBIBYTE,
    origin: fromNode,
  },
  {
    ...GET,
    id: 'upload',
    title: '100 KiB upload',
    largeBodies: true,
    method: 'POST',
    load: { path: '/', script: uploadScript(directory) },
    bodyBytes: UPLOAD_BYTES,
    answerBytes: 7,
    origin: fromNode,
  },
];
