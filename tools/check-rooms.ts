import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { type ICruiseResult, type IForbiddenRuleType, cruise } from 'dependency-cruiser';
import { AGENTS, PAGES, ROOMS } from './rooms.ts';

/**
 * Holds the tree against the table in rooms.ts. It also fails when it has seen nothing: with a compiler that the cruiser
 * cannot use, it finds 0 modules, and a rule that looks at nothing is always kept.
 */
const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
const anyOf = (names: readonly string[]) => `(?:${names.map(escape).join('|')})`;
/** Matches every file of the rooms named; nothing when none is. */
const inRooms = (names: readonly string[]) => (names.length === 0 ? '(?!)' : `^src/${anyOf(names)}(?:/|$)`);
const inPackages = (names: readonly string[]) => (names.length === 0 ? '(?!)' : `^node_modules/(?:@types/)?${anyOf(names)}/`);
const PACKAGES = '^node_modules/';
const PAGE = '^agents/[^/]+/page/';

const rules: IForbiddenRuleType[] = [
  ...Object.entries(ROOMS).flatMap(([name, room]): IForbiddenRuleType[] => [
    {
      name: `src/${name}: rooms`,
      severity: 'error',
      comment: room.because,
      from: { path: inRooms([name]) },
      to: { path: '^(?:src|agents|test|tools)/', pathNot: inRooms([name, ...room.rooms]) },
    },
    {
      name: `src/${name}: packages`,
      severity: 'error',
      comment: room.because,
      from: { path: inRooms([name]) },
      to: { path: PACKAGES, pathNot: inPackages(room.packages) },
    },
    ...(room.node === 'any'
      ? []
      : [
          {
            name: `src/${name}: node`,
            severity: 'error',
            comment: room.because,
            from: { path: inRooms([name]) },
            to: { dependencyTypes: ['core'], pathNot: room.node.length === 0 ? '(?!)' : `^(?:node:)?${anyOf(room.node)}$` },
          } satisfies IForbiddenRuleType,
        ]),
  ]),
  {
    name: 'agents: rooms',
    severity: 'error',
    comment: AGENTS.because,
    from: { path: '^agents/' },
    to: { path: '^(?:src|test|tools)/', pathNot: inRooms(AGENTS.rooms) },
  },
  {
    name: 'agents: packages',
    severity: 'error',
    comment: AGENTS.because,
    from: { path: '^agents/', pathNot: PAGE },
    to: { path: PACKAGES, pathNot: inPackages(AGENTS.packages) },
  },
  {
    name: 'pages: packages',
    severity: 'error',
    comment: PAGES.because,
    from: { path: `${PAGE}src/` },
    to: { path: PACKAGES, pathNot: inPackages(PAGES.packages) },
  },
  {
    name: 'pages: build',
    severity: 'error',
    comment: PAGES.because,
    from: { path: PAGE, pathNot: `${PAGE}src/` },
    to: { path: PACKAGES, pathNot: inPackages(PAGES.build) },
  },
  {
    name: 'pages: node',
    severity: 'error',
    comment: PAGES.because,
    from: { path: `${PAGE}src/` },
    to: { dependencyTypes: ['core'] },
  },
  {
    name: 'pages: rooms',
    severity: 'error',
    comment: PAGES.because,
    from: { path: `${PAGE}src/` },
    to: { path: '^(?:agents|src)/', pathNot: `${PAGE}src/|^agents/world/(?:views|values)\\.ts$` },
  },
  {
    name: 'agents: each for itself',
    severity: 'error',
    comment: 'An agent is an example to copy: it stands on the kit, or on the words of its world, and not on another agent.',
    from: { path: '^agents/([^/]+)/' },
    to: { path: '^agents/', pathNot: '^agents/(?:$1|kit|world)/' },
  },
  {
    name: 'test/blackbox: over HTTP',
    severity: 'error',
    comment: 'It drives the daemon from outside, as anybody else would; what it reads of ours is the contract.',
    from: { path: '^test/blackbox/' },
    to: { path: '^src/', pathNot: inRooms(['std', 'contract']) },
  },
  {
    name: 'no circles',
    severity: 'error',
    comment: 'Two files that need each other are one file, or lack a third.',
    from: {},
    to: { circular: true },
  },
  {
    name: 'resolvable',
    severity: 'error',
    comment: 'Nothing answers to this import.',
    from: {},
    to: { couldNotResolve: true },
  },
  {
    name: 'declared',
    severity: 'error',
    comment: 'What the daemon runs on is a dependency in package.json, and not one for development only.',
    from: { path: '^src/' },
    to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
  },
];

const { output } = await cruise(
  ['src', 'agents', 'test', 'tools'].filter((folder) => existsSync(folder)),
  {
    ruleSet: { forbidden: rules },
    validate: true,
    outputType: 'json',
    doNotFollow: { path: 'node_modules' },
    // Types are imports like any other here: a core that names a port's type has seen the port.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types', 'default'] },
  },
);
const { summary, modules } = (typeof output === 'string' ? JSON.parse(output) : output) as ICruiseResult;

const complaints = summary.violations.map(({ rule, from, to, cycle }) => {
  const way = cycle === undefined ? to : cycle.map((step) => step.name).join(' -> ');
  const reason = rules.find(({ name }) => name === rule.name)?.comment ?? '';
  return `${from} -> ${way}\n    ${rule.name}. ${reason}`;
});

const ours = modules.filter(({ source }) => source.startsWith('src/'));
if (ours.length === 0) complaints.push('No module under src/ was seen: the cruiser is broken, so nothing was checked.');
for (const { name } of await readdir('src', { withFileTypes: true }))
  if (!(name in ROOMS)) complaints.push(`src/${name} is not in the table of tools/rooms.ts: give it a row and a reason.`);

for (const complaint of complaints) console.error(complaint);
console.log(
  `${modules.length} modules, ${summary.totalDependenciesCruised ?? 0} imports, ${complaints.length} against the rules`,
);
process.exitCode = complaints.length === 0 ? 0 : 1;
