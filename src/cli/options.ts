/** Every option there is. A name means the same with every command that takes it. */
export interface Option {
  /** What stands for its value in help; null: it takes none. */
  readonly value: string | null;
  readonly words: string;
}

const option = (value: string | null, words: string): Option => ({ value, words });

// One row a line, to be read as a table.
// prettier-ignore
export const OPTIONS = {
  admin: option('URL', "The daemon's internal port. Default: REVEILLE_ADMIN, else admin_listen of the config file"),
  token: option('TOKEN', 'The admin token. Others can see it in the list of processes: --token-file or REVEILLE_ADMIN_TOKEN is better'),
  'token-file': option('FILE', "File that holds the admin token. Default: REVEILLE_ADMIN_TOKEN, else the local daemon's own"),
  config: option('FILE', 'The config file. Default: orchestrator.yaml in the working directory'),
  json: option(null, 'Print JSON instead of text'),
  help: option(null, 'Say what the command does'),
  version: option(null, 'Say which version this is'),
  wait: option(null, 'Come back once the agent is ready'),
  timeout: option('TIME', 'Longest wait of --wait, up to 10m. Default: 60s'),
  force: option(null, 'Do not wait for open work: cut it'),
  until: option('TIME', 'Until this time (2026-01-31T18:00:00Z), or for this long (8h). Default: until it is lifted'),
  lift: option(null, 'Keep it no longer: its callers decide again'),
  since: option('ID', 'Begin with what came after the event of this id, 0 for all that is kept'),
  'made-by-api': option(null, 'The agent is not in the config file but was made with POST /admin/agents'),
} as const satisfies Readonly<Record<string, Option>>;

export type OptionName = keyof typeof OPTIONS;

export const isOption = (name: string): name is OptionName => Object.hasOwn(OPTIONS, name);

/** Taken with every command, so that a wrapper may set them without knowing which command follows. */
export const EVERYWHERE = ['admin', 'token', 'token-file', 'config', 'json', 'help'] as const satisfies readonly OptionName[];
