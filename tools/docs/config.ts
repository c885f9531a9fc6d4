import { ConfigFile } from '../../src/contract/config.ts';
import { assert } from '../../src/std/assert.ts';
import { type Page, code, codes, madeFrom, paragraphs, table } from './page.ts';

/** docs/config.md: every key of orchestrator.yaml, walked out of its one schema. */
export const configPage: Page = {
  file: 'config.md',
  render: () =>
    paragraphs(
      '# orchestrator.yaml',
      madeFrom('src/contract/config.ts'),
      INTRODUCTION,
      ...sections(ConfigFile as unknown as Schema, '', 'Top level').map(({ title, about, rows }) =>
        [`## ${title}`, ...(about === '' ? [] : [`${about}.`]), table(['key', 'type', 'default', 'what it does'], rows)].join('\n\n'),
      ),
    ),
};

const INTRODUCTION = `The file that \`reveille serve --config FILE\` reads. Only \`agents\` has to be there.

- A **duration** is a number and a unit: \`250ms\`, \`30s\`, \`10m\`, \`2h\`, \`1d\`. A **size** is in \`KB\`, \`MB\` or \`GB\` (1024 based).
- \`\${VAR}\` and \`\${VAR:-fallback}\` in a value are replaced from the environment. A variable that is missing is an error.
  The fallback also stands in for an empty one. \`$\${\` is a literal \`\${\`. Inside \`{}\` and \`[]\` put such a value in quotes.
- An alias (\`*name\`) stands for a whole value. Merge keys (\`<<\`) are refused: that is what \`defaults\` is for.
- Relative paths start at the directory of the file.
- An unknown key is refused, and the nearest known one is named. Every mistake is reported at once, each with its line and
  column; \`reveille check FILE\` does only that.
- \`SIGHUP\`, \`reveille reload\` or \`POST /admin/reload\` loads the file again. A bad file changes nothing. What only a start
  can change, such as \`listen\`, \`engine\` and \`state_dir\`, is reported as \`restart_needed\`.`;

/** The part of JSON Schema that the contract uses. A keyword that is not here is not shown. */
interface Schema {
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly default?: unknown;
  readonly description?: string;
}

interface Section {
  readonly title: string;
  readonly about: string;
  readonly rows: readonly (readonly string[])[];
}

/** What the entries of lists are, each shown once, by where it is shown. */
const lists = new Map<Schema, string>();

/** One section for this object, then one for each object in it. `path` ends in a dot, or is empty. */
function sections(schema: Schema, path: string, title: string): readonly Section[] {
  const inner: Section[] = [];
  const rows = Object.entries(schema.properties ?? {}).map(([key, value]) => {
    const [named] = Object.values(value.patternProperties ?? {});
    if (named?.properties !== undefined) {
      inner.push(...sections({ ...named, description: value.description ?? '' }, `${path}${key}.<name>.`, code(`${path}${key}.<name>`)));
      return [code(key), 'a section for each name, [below](#' + anchor(`${path}${key}.<name>`) + ')', required(schema, key), about(value)];
    }
    if (value.properties !== undefined && !isPartial(value)) {
      inner.push(...sections(value, `${path}${key}.`, code(`${path}${key}`)));
      return [code(key), `a section, [below](#${anchor(`${path}${key}`)})`, value.default === undefined ? '' : 'as there', about(value)];
    }
    if (value.items?.properties !== undefined) {
      const at = `${path}${key}[]`;
      const shown = lists.get(value.items) ?? at;
      if (shown === at) inner.push(...sections(value.items, `${at}.`, code(at)));
      lists.set(value.items, shown);
      return [code(key), `a list of sections, [below](#${anchor(shown)})`, code(JSON.stringify(value.default)), about(value)];
    }
    return [code(key), typeOf(value), value.default === undefined ? required(schema, key) : code(JSON.stringify(value.default).replace(/^"(.+)"$/, '$1')), about(value)];
  });
  return [{ title, about: path === '' ? '' : (schema.description ?? ''), rows }, ...inner];
}

const about = ({ description }: Schema) => (description === undefined ? '' : `${description}.`);
const required = (schema: Schema, key: string) => (schema.required?.includes(key) === true ? '**required**' : '');
/** Every key of it may be left out and nothing is filled in: the keys stand where they are described. */
const isPartial = ({ properties = {}, required: names = [] }: Schema) => Object.keys(properties).length > 0 && names.length === 0;
/** The anchor that a renderer makes of a heading. */
const anchor = (title: string) => title.toLowerCase().replaceAll(/[^a-z0-9_ -]/g, '').replaceAll(' ', '-');

const FORMATS: Readonly<Record<string, string>> = {
  duration: 'duration',
  'positive-duration': 'duration above 0',
  size: 'size',
  path: 'path',
  listen: '`host:port` or `:port`',
  cidr: 'CIDR, `loopback` or `private`',
  'host-pattern': 'hostname or `*.suffix`',
  'http-url': 'http URL',
  title: 'text of at most 100 characters',
  colour: '`#rgb` or `#rrggbb`',
  rate: 'rate such as `60/m`',
  method: 'method',
  'path-pattern': 'path or `beginning*`',
  regex: 'regular expression',
  'header-name': 'name of a header',
  'answer-body': 'text of at most 4 KB',
};

function typeOf(schema: Schema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' or ');
  if (schema.enum !== undefined) return codes(schema.enum);
  if (schema.format !== undefined) {
    const words = FORMATS[schema.format];
    assert(words !== undefined, `docs/config.md has words for the format ${schema.format}`);
    return words;
  }
  if (schema.type === 'null') return '`null`';
  if (schema.type === 'boolean') return '`true` or `false`';
  if (schema.type === 'integer') return `whole number, ${schema.minimum ?? 'any'} to ${schema.maximum ?? 'any'}`;
  if (schema.type === 'array') return `list: ${typeOf(schema.items ?? {})}${schema.minItems === undefined ? '' : `, at least ${schema.minItems}`}`;
  if (schema.type === 'object') return schema.patternProperties === undefined ? 'some of those keys' : 'text by name';
  return 'text';
}
