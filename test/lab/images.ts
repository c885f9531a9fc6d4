import { mkdirSync, mkdtempSync, copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { docker } from './engine.ts';
import { runProgram } from './run-program.ts';

/**
 * Images, all made in the lab and all known by their id: a service whose image is named by tag asks a registry at every start,
 * and waits for an answer that never comes. They are built by the classic builder, which any Docker has.
 */
interface Builder {
  readonly socket: string;
  /** The relay to the package registry. */
  readonly proxy: string;
}

const REPOSITORY = resolve(import.meta.dirname, '../..');
/** The name in the project's Dockerfile, which therefore builds unchanged. */
const BASE = 'node:24-bookworm-slim';

export const importBase = ({ socket }: Pick<Builder, 'socket'>, tar: string): Promise<string> =>
  docker({ socket }, 'import', '--change', 'CMD ["node"]', tar, BASE);

/** The agent of the engine contract (test/engine/agent.ts): listens on PORT as soon as Node is up. */
export async function buildAgentImage(builder: Builder): Promise<string> {
  const context = mkdtempSync(join(tmpdir(), 'agent-image-'));
  try {
    mkdirSync(join(context, 'agent'));
    copyFileSync(join(REPOSITORY, 'test/engine/agent.ts'), join(context, 'agent/agent.ts'));
    writeFileSync(join(context, 'agent/package.json'), '{ "type": "module" }');
    const lines = [`FROM ${BASE}`, 'COPY agent /agent', 'ENV PORT=8080', 'CMD ["node", "/agent/agent.ts"]'];
    writeFileSync(join(context, 'Dockerfile'), lines.join('\n'));
    return await build(builder, context);
  } finally {
    rmSync(context, { recursive: true });
  }
}

/** What the official image `memcached` is, as far as a stack can tell: the program, started without root and without a script. */
export async function buildMemcachedImage(builder: Builder): Promise<string> {
  const context = mkdtempSync(join(tmpdir(), 'memcached-image-'));
  try {
    writeFileSync(join(context, 'Dockerfile'), `FROM ${BASE}\nUSER 11211\nCMD ["memcached"]\n`);
    return await build(builder, context);
  } finally {
    rmSync(context, { recursive: true });
  }
}

/** What `docker build` needs in the lab, whichever Dockerfile it is. */
export const buildOptions = (proxy: string): readonly string[] => [
  '--network=host',
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'].map((name) => `--build-arg=${name}=${proxy}`),
];

async function build(builder: Builder, context: string): Promise<string> {
  const command = ['docker', '--host', `unix://${builder.socket}`, 'build', '--quiet', ...buildOptions(builder.proxy), context];
  return runProgram(command, { env: { ...process.env, DOCKER_BUILDKIT: '0' } });
}
