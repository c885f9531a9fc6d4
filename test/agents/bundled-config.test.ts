import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { complaintLine } from '../../src/config/complaint.ts';
import { configFromText } from '../../src/config/load.ts';
import type { Config } from '../../src/contract/config.ts';

const FILE = fileURLToPath(new URL('../../orchestrator.yaml', import.meta.url));
const TEXT = readFileSync(FILE, 'utf8');
/** As a reader would: the `# ` in front of what is an example and not a sentence taken away. */
const WITH_EXAMPLES = TEXT.replace(/^( {2})# ( *[a-z_]+:(?: |$))/gm, '$1$2');

function load(text: string): Config {
  const result = configFromText(text, FILE, {});
  if (!result.ok) throw new Error(result.failure.map((one) => complaintLine('orchestrator.yaml', one)).join('\n'));
  return result.value.config;
}

describe('the bundled orchestrator.yaml', () => {
  it('serves hello to this machine alone, asleep until called, and awake for a minute', () => {
    const { listen, admin_listen, engine, agents } = load(TEXT);
    expect({ listen, admin_listen, engine }).toEqual({
      listen: '127.0.0.1:8080',
      admin_listen: '127.0.0.1:9180',
      engine: 'process',
    });
    expect(Object.keys(agents)).toEqual(['hello']);
    expect(agents['hello']).toMatchObject({
      hostname: 'hello.localhost',
      hostnames: ['localhost'],
      policy: 'on-demand',
      process: { command: ['node', 'agents/hello/main.ts'] },
      idle: { timeout: 60_000 },
      domains: ['*.hello.localhost'],
    });
  });

  it('has examples that are in order once their `#` is taken away', () => {
    expect(Object.keys(load(WITH_EXAMPLES).agents)).toEqual(['hello', 'kai', 'clock', 'wiki']);
  });
});
