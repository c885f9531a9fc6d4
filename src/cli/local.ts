import { readFileSync } from 'node:fs';
import { complaintLine } from '../config/complaint.ts';
import { loadConfig } from '../config/load.ts';
import { nearestOf } from '../config/nearest.ts';
import { EXIT } from '../contract/problems.ts';
import { quoted } from '../std/printable.ts';
import { agentToken, daemonSecret } from '../system/secret-files.ts';
import { CONFIG_FILE, readConfig } from './daemon.ts';
import type { Invocation } from './command.ts';
import { failure, json, report, type Terminal } from './terminal.ts';

/** The commands that need no daemon. */

export async function serve({ options }: Invocation): Promise<number> {
  // Loaded here and not above: the daemon takes longer to load than all other commands take to run.
  const daemon = await import('../main.ts');
  return daemon.serve({ configFile: fileOf(options) });
}

export async function check({ args, options }: Invocation, terminal: Terminal): Promise<number> {
  const file = args[0] ?? fileOf(options);
  const loaded = loadConfig(file, terminal.env);
  const complaints = loaded.ok ? [] : loaded.failure;
  if (options.json === true) {
    terminal.out(json({ file, valid: loaded.ok, complaints }, 2));
  } else if (loaded.ok) {
    const count = Object.keys(loaded.value.config.agents).length;
    terminal.out(`${file} is right: engine ${loaded.value.config.engine}, ${count === 1 ? '1 agent' : `${count} agents`}`);
  }
  for (const one of complaints) terminal.err(complaintLine(file, one));
  return loaded.ok ? EXIT.ok : EXIT.badConfig;
}

export async function token({ args, options }: Invocation, terminal: Terminal): Promise<number> {
  const file = fileOf(options);
  const name = args[0] ?? '';
  const loaded = readConfig(file, terminal);
  if (!loaded.ok) return report(terminal, loaded.failure);
  const { config } = loaded.value;
  const agent = config.agents[name];
  if (agent === undefined && options['made-by-api'] !== true) {
    const near = nearestOf(name, Object.keys(config.agents));
    const advice = [
      ...(near === '' ? [] : [`Did you mean ${near}?`]),
      'If it was made with POST /admin/agents, say --made-by-api.',
    ];
    return report(terminal, failure(EXIT.failed, `there is no agent ${quoted(name)} in ${file}`, ...advice));
  }
  // An agent with a token of its own must not bring a secret into being.
  const needsSecret = agent === undefined || agent.token_file === null;
  const secret = needsSecret ? daemonSecret(config) : null;
  if (secret?.ok === false) return report(terminal, failure(EXIT.failed, secret.failure));
  const found = agentToken(name, { token_file: agent?.token_file ?? null }, secret?.value.value ?? Buffer.alloc(0));
  if (!found.ok) return report(terminal, failure(EXIT.failed, found.failure));
  for (const warning of [...(secret?.value.warnings ?? []), ...found.value.warnings]) terminal.err(`reveille: ${warning}`);
  terminal.out(options.json === true ? json({ agent: name, token: found.value.value }, 2) : found.value.value);
  return EXIT.ok;
}

export async function version({ options }: Invocation, terminal: Terminal): Promise<number> {
  const node = process.versions.node;
  terminal.out(options.json === true ? json({ version: VERSION, node }, 2) : `reveille ${VERSION} on Node.js ${node}`);
  return EXIT.ok;
}

/** Both src/cli and dist/cli are two levels below the package. */
const VERSION = (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { readonly version: string })
  .version;

const fileOf = (options: Invocation['options']): string => (typeof options.config === 'string' ? options.config : CONFIG_FILE);
