import { existsSync } from 'node:fs';
import { complaintLine } from '../config/complaint.ts';
import { configFromText, type LoadedConfig, loadConfig } from '../config/load.ts';
import { outlineOf } from '../config/outline.ts';
import { parseListen } from '../contract/address.ts';
import type { Config } from '../contract/config.ts';
import { EXIT } from '../contract/problems.ts';
import { assert } from '../std/assert.ts';
import { done, failed, type Outcome } from '../std/outcome.ts';
import { quoted } from '../std/printable.ts';
import { adminTokenPath, tokenFile } from '../system/secret-files.ts';
import type { Invocation } from './command.ts';
import { type Failure, failure, type Terminal } from './terminal.ts';

/** Which daemon to speak to, and as whom. */
export interface Daemon {
  /** Without trailing slash. */
  readonly url: string;
  /** Null: none was found. The daemon will say what it thinks of that. */
  readonly token: string | null;
}

export const CONFIG_FILE = 'orchestrator.yaml';

/**
 * Flags come before the environment, which comes before the config file of this machine. The local token is only sent to the
 * local daemon: to the address that the config file names, never to whatever else --admin says.
 */
export function findDaemon({ options }: Invocation, terminal: Terminal): Outcome<Daemon, Failure> {
  const written = textOf(options.admin) ?? nonEmpty(terminal.env['REVEILLE_ADMIN']);
  const given = written === undefined ? null : urlOf(written);
  if (given !== null && !given.ok) return given;
  const token = givenToken(options, terminal);
  if (!token.ok) return token;
  if (given !== null && token.value !== null) return done({ url: given.value, token: token.value });

  const local = localConfig(textOf(options.config), terminal);
  // A config file that is broken is no reason not to speak to a daemon that was named.
  if (!local.ok) return given === null || options.config !== undefined ? local : done({ url: given.value, token: token.value });
  const config = local.value;
  const localUrl = urlFor(config.admin_listen);
  const url = given?.value ?? localUrl;
  if (token.value !== null || !isSame(url, localUrl)) return done({ url, token: token.value });
  const own = ownToken(config);
  return own.ok ? done({ url, token: own.value }) : own;
}

/** The config file that was named, or the one that lies here; the failure lists its mistakes. */
export function readConfig(file: string, terminal: Terminal): Outcome<LoadedConfig, Failure> {
  const loaded = loadConfig(file, terminal.env);
  if (loaded.ok) return loaded;
  const lines = loaded.failure.map((complaint) => complaintLine(file, complaint));
  return failed({ exit: EXIT.badConfig, lines, advice: [] });
}

/** The config of the daemon of this machine; where no file says anything, what the daemon would assume. */
function localConfig(named: string | undefined, terminal: Terminal): Outcome<Config, Failure> {
  const file = named ?? CONFIG_FILE;
  if (named === undefined && !existsSync(file)) {
    const assumed = configFromText('agents: {}', file, {});
    assert(assumed.ok, 'the schema has a default for everything but agents');
    return done(assumed.value.config);
  }
  const loaded = readConfig(file, terminal);
  if (loaded.ok) return done(loaded.value.config);
  const outline = outlineOf(file, terminal.env);
  if (outline === null) return loaded;
  terminal.err(`reveille: ${file} has mistakes, \`reveille check\` lists them; the daemon goes on with what it had before`);
  return done(outline);
}

function givenToken(options: Invocation['options'], terminal: Terminal): Outcome<string | null, Failure> {
  const flag = textOf(options.token);
  if (flag !== undefined) return headerSafe(flag, '--token');
  const file = textOf(options['token-file']);
  if (file !== undefined) {
    const read = tokenFile(file);
    return read.ok ? done(read.value.value) : failed(failure(EXIT.failed, read.failure));
  }
  const variable = nonEmpty(terminal.env['REVEILLE_ADMIN_TOKEN']);
  return variable === undefined ? done(null) : headerSafe(variable, 'REVEILLE_ADMIN_TOKEN');
}

/** The token that the config gives the local daemon, or that the daemon has made. Missing is no failure yet. */
function ownToken(config: Config): Outcome<string | null, Failure> {
  if (config.admin_token !== undefined) return done(config.admin_token);
  const path = config.admin_token_file ?? adminTokenPath(config);
  if (!existsSync(path)) return done(null);
  const read = tokenFile(path);
  return read.ok
    ? done(read.value.value)
    : failed(failure(EXIT.failed, read.failure, 'Give the token with --token-file or REVEILLE_ADMIN_TOKEN.'));
}

function headerSafe(token: string, from: string): Outcome<string, Failure> {
  return /^[!-~]+$/.test(token)
    ? done(token)
    : failed(failure(EXIT.usage, `${from} is not a token: it must be visible ASCII characters without spaces`));
}

function urlOf(text: string): Outcome<string, Failure> {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  const isGood =
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    url.username === '' &&
    url.password === '' &&
    url.search === '' &&
    url.hash === '';
  if (!isGood)
    return failed(
      failure(
        EXIT.usage,
        `${quoted(text.replace(/\/\/[^/]*@/, '//...@'))} is not the URL of an internal port, such as http://127.0.0.1:9180`,
      ),
    );
  return done(url.href.replace(/\/+$/, ''));
}

/** Where a local daemon that listens there can be reached. */
function urlFor(listen: string): string {
  const { host, port } = parseListen(listen) ?? { host: null, port: 0 };
  const reachable = host === null || host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/** `localhost` and 127.0.0.1 are one machine, and the port tells the daemons on it apart. */
function isSame(a: string, b: string): boolean {
  const [one, other] = [new URL(a), new URL(b)];
  const name = (url: URL): string => (['localhost', '[::1]'].includes(url.hostname) ? '127.0.0.1' : url.hostname);
  return one.protocol === other.protocol && one.port === other.port && name(one) === name(other);
}

const textOf = (option: string | true | undefined): string | undefined => (option === true ? undefined : option);
const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text);
