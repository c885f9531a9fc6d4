import { dirname, resolve } from 'node:path';
import { type Config, ConfigFile } from '../contract/config.ts';
import { done, failed, type Outcome } from '../std/outcome.ts';
import { crossCheck } from './cross-check.ts';
import { type Complaint, tidied } from './complaint.ts';
import { mergeDefaults } from './defaults.ts';
import { spreadSingles } from './ignore.ts';
import { entriesOf, isObject } from './loose.ts';
import { pointerTo, type Position, Report } from './places.ts';
import { readText } from './read.ts';
import { loaded, shapeOf } from './shape.ts';
import { readTree } from './tree.ts';
import { typeSubstituted, validate } from './validate.ts';

/** A config file that is in order. */
export interface LoadedConfig {
  /** As it was given; complaints begin with it. */
  readonly file: string;
  /** Absolute; what relative paths in the file are relative to. */
  readonly directory: string;
  readonly config: Config;
  /** Where the value at a JSON pointer stands in the file: `/agents/kai/backend`. */
  position(pointer: string): Position;
}

/**
 * orchestrator.yaml -> Config, or everything that is wrong with it. Never throws and never waits. `env` is what `${VAR}` is
 * looked up in. Nothing but the file itself is read: whether the paths in it exist is found out by whoever opens them.
 */
export function loadConfig(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): Outcome<LoadedConfig, readonly Complaint[]> {
  const text = readText(file);
  if (!text.ok) return failed([{ line: 1, column: 1, message: text.failure }]);
  return configFromText(text.value, file, env);
}

/** As {@link loadConfig} for text that is already at hand. */
export function configFromText(
  text: string,
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): Outcome<LoadedConfig, readonly Complaint[]> {
  const tree = readTree(text, env);
  const report = new Report(tree.places);
  const root = tree.value;
  if (isObject(root)) {
    typeSubstituted(ConfigFile, root, report);
    mergeDefaults(root, tree.places);
    spreadSingles(root['ignore'], '/ignore', tree.places);
    for (const [name, agent] of entriesOf(root['agents'])) {
      if (isObject(agent)) spreadSingles(agent['ignore'], `${pointerTo('/agents', name)}/ignore`, tree.places);
    }
    validate(ConfigFile, root, report);
    crossCheck(root, report);
  } else if (tree.complaints.length === 0) {
    const what = root === undefined || root === null ? 'the file is empty' : 'the file must be a mapping';
    report.at('', `${what}; the least it needs is \`agents: {}\``);
  }
  const complaints = tidied([...tree.complaints, ...report.complaints()]);
  if (complaints.length > 0) return failed(complaints);
  const directory = dirname(resolve(file));
  const config = loaded(shapeOf(ConfigFile), root, directory) as Config;
  return done({ file, directory, config, position: (pointer) => tree.places.position(pointer) });
}
