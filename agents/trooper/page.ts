import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { FastifyInstance, FastifyReply } from 'fastify';

/**
 * The page, as Vite has built it from page/src. All of it is read once, at the start: a name in a request is looked up
 * among what was found and never becomes a path. A checkout where it was not built yet says how to do that.
 */
interface Asset {
  readonly body: Buffer;
  readonly type: string;
}

interface Built {
  readonly html: Buffer;
  readonly etag: string;
  readonly assets: ReadonlyMap<string, Asset>;
}

const BUILT = join(import.meta.dirname, 'page/dist');

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const NOT_BUILT = 'The page has not been built yet. Run `npm run build:page`, and start the world again.\n';

/** `GET /` and `GET /assets/*`. */
export function servePage(http: FastifyInstance, folder: string = BUILT): void {
  const page = readBuilt(folder);

  http.get('/', async (request, reply) => {
    guarded(reply);
    // Not 503, which is what a world says that sleeps.
    if (page === null) return reply.code(500).type('text/plain; charset=utf-8').send(NOT_BUILT);
    // Asked for each time, since it names the assets of this build; sent only when it is another one.
    reply.header('cache-control', 'no-cache').header('etag', page.etag);
    if (request.headers['if-none-match'] === page.etag) return reply.code(304).send();
    return reply.type('text/html; charset=utf-8').send(page.html);
  });

  http.get<{ Params: { readonly name: string } }>('/assets/:name', async (request, reply) => {
    guarded(reply);
    const asset = page?.assets.get(request.params.name);
    if (asset === undefined) return reply.code(404).send({ error: 'not found' });
    // Its name has a hash of what is in it.
    return reply.header('cache-control', 'public, max-age=31536000, immutable').type(asset.type).send(asset.body);
  });
}

const guarded = (reply: FastifyReply): FastifyReply =>
  reply
    .header('content-security-policy', POLICY)
    .header('x-content-type-options', 'nosniff')
    .header('referrer-policy', 'no-referrer');

/** Null: it was not built. */
function readBuilt(folder: string): Built | null {
  try {
    const html = readFileSync(join(folder, 'index.html'));
    const names = readdirSync(join(folder, 'assets')).filter((name) => extname(name) in TYPES);
    return {
      html,
      etag: `"${createHash('sha256').update(html).digest('base64url').slice(0, 22)}"`,
      assets: new Map(names.map((name) => [name, { body: readFileSync(join(folder, 'assets', name)), type: typeOf(name) }])),
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

const typeOf = (name: string): string => TYPES[extname(name)] ?? 'application/octet-stream';
