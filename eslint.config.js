// What the compiler cannot say. Two kinds of rule live here: typescript-eslint's strict set, which reads types, and the
// house's own bans, each with its reason in the message that a reader gets. Rules about which file may import which are not
// here but in tools/rooms.ts, where they can be read as a table.

import tseslint from 'typescript-eslint';

const CLOCK_GLOBALS = ['Date', 'setTimeout', 'setInterval', 'setImmediate', 'performance'];
const CLOCK_REASON = 'Time comes from the Clock port; only src/system/clock.ts knows what time it is.';

const BANNED_SYNTAX = [
  { selector: 'ExportDefaultDeclaration', message: 'No default exports: a thing has one name, everywhere.' },
  { selector: "ExportSpecifier[exported.name='default']", message: 'No default exports: a thing has one name, everywhere.' },
  { selector: 'ExportAllDeclaration', message: 'No barrels: import from the file that defines it.' },
  {
    selector: "CallExpression > MemberExpression[property.name='timeout'][object.name='AbortSignal']",
    message: CLOCK_REASON,
  },
];

const BANNED_IN_TESTS = [
  {
    selector:
      'MemberExpression[object.name=/^(it|test|describe|suite|bench)$/][property.name=/^(skip|only|todo|skipIf|runIf|fails)$/]',
    message: 'Every test runs, always, and passes because the thing works.',
  },
  {
    selector: "CallExpression[callee.object.name=/^(ctx|context|task)$/][callee.property.name='skip']",
    message: 'Every test runs, always, and passes because the thing works.',
  },
];

// The config files of these tools, and nothing else, are read through their default export.
const CONFIG_FILES = [
  'eslint.config.js',
  'vitest.config.ts',
  'agents/trooper/page/vite.config.ts',
  'test/browser/screens.config.ts',
];

export default tseslint.config(
  { ignores: ['**/dist', 'node_modules', 'coverage', '.reveille', '.test-results'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidOperator: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // `for (;;)` is the house's endless loop; `while (true)` reads the same, and neither is a mistake.
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      // A port's method may be asynchronous for one adapter and immediate for another.
      '@typescript-eslint/require-await': 'off',
      // A tuple of types with a brand reads better as an alias, and both forms are one keyword apart.
      '@typescript-eslint/consistent-type-definitions': 'off',
      // `x[0]!` hides a hole; an index signature read by name does not. The compiler asks for brackets there.
      '@typescript-eslint/dot-notation': 'off',
      eqeqeq: 'error',
      'no-restricted-syntax': ['error', ...BANNED_SYNTAX],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        {
          globals: CLOCK_GLOBALS.map((name) => ({ name, message: CLOCK_REASON })),
          checkGlobalObject: true,
        },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'hrtime', message: CLOCK_REASON },
        { object: 'process', property: 'uptime', message: CLOCK_REASON },
      ],
      'no-restricted-imports': [
        'error',
        {
          paths: ['timers', 'timers/promises', 'perf_hooks'].flatMap((name) => [
            { name: `node:${name}`, message: CLOCK_REASON },
            { name, message: CLOCK_REASON },
          ]),
        },
      ],
      'no-console': 'error',
    },
  },
  {
    files: ['src/system/clock.ts'],
    rules: { 'no-restricted-globals': 'off', 'no-restricted-properties': 'off' },
  },
  {
    // Writes a given time down; it does not ask for one.
    files: ['src/std/time.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...CLOCK_GLOBALS.filter((name) => name !== 'Date').map((name) => ({ name, message: CLOCK_REASON })),
      ],
      'no-restricted-properties': ['error', { object: 'Date', property: 'now', message: CLOCK_REASON }],
    },
  },
  {
    files: ['src/cli/**/*.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...BANNED_SYNTAX, ...BANNED_IN_TESTS],
      // A test that is wrong about a hole fails, which is all that is wanted of it.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Bodies off the wire are `any` until an expectation has looked at them.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
    },
  },
  {
    files: CONFIG_FILES,
    rules: { 'no-restricted-syntax': 'off' },
  },
);
