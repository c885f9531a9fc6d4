import { describe, expect, it } from 'vitest';
import { paths, readText, sourceFiles } from './tree.ts';

/**
 * The style guide as a test. What eslint can say it says there; here stands what needs the text, the file name or several
 * files at once. Each test collects every offender, so that one run tells all.
 */
const FOLDERS = ['src', 'agents', 'test', 'tools'] as const;
const files = sourceFiles(...FOLDERS);
const shipped = sourceFiles('src', 'agents', 'tools');

describe('house style', () => {
  it('sees the source at all', () => {
    expect(files.length).toBeGreaterThan(20);
    expect(shipped.some(({ path }) => path === 'src/contract/problems.ts')).toBe(true);
  });

  it('no file is longer than 400 lines', () => {
    expect(files.filter(({ lines }) => lines.length > 400).map(({ path, lines }) => `${path}: ${lines.length}`)).toEqual([]);
  });

  it('a file opens with the idea: a comment stands before its first declaration', () => {
    // Imports may come first. The comment may be the file's own or that of the first thing in it.
    const opening = /^(?:import\b(?:[^;'"]|'[^']*')*;\n|#!.*\n|\s*\n)*(?<rest>[\s\S]{0,3})/;
    const silent = shipped.filter(({ text }) => !/^\/[*/]/.test(opening.exec(text)?.groups?.['rest'] ?? ''));
    expect(silent.map(({ path }) => path)).toEqual([]);
  });

  it('nothing is called Manager, Helper, Util, Handler, Data or Info, and no folder is called utils or common', () => {
    const type =
      /^\s*(?:export )?(?:declare |abstract )*(?:class|interface|type)\s+(\w*(?:Manager|Helper|Util|Utils|Handler|Data|Info))\b/gm;
    const place =
      /(?:^|\/)(?:utils?|common|helpers?|misc|shared)(?:\/|\.tsx?$)|(?:-|\/)(?:manager|helper|utils?|handler|data|info)\.tsx?$/;
    const named = files.flatMap(({ path, text }) => [...text.matchAll(type)].map(([, name]) => `${path}: ${name}`));
    expect([...named, ...files.map(({ path }) => path).filter((path) => place.test(path))]).toEqual([]);
  });

  it('there are no barrels', () => {
    expect(files.map(({ path }) => path).filter((path) => /(?:^|\/)(?:index|mod)\.tsx?$/.test(path))).toEqual([]);
  });

  it('imports of our own files carry .ts or .tsx, since Node runs the source as it is', () => {
    const relative = /\bfrom '(\.[^']*)'|\bimport\('(\.[^']*)'\)/g;
    const wrong = files.flatMap(({ path, text }) =>
      [...text.matchAll(relative)]
        .map(([, fixed, dynamic]) => fixed ?? dynamic ?? '')
        .filter((target) => !/\.(?:tsx?|json)$/.test(target))
        .map((target) => `${path}: ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('nothing is left for later: no open tasks in comments', () => {
    // In two halves, or this file would be the first offender.
    const open = new RegExp(['TO', 'DO\\b|\\bFIX', 'ME'].join(''));
    expect(files.filter(({ text }) => open.test(text)).map(({ path }) => path)).toEqual([]);
  });

  it('a test lies where a suite looks for it', () => {
    const strays = paths('test').filter((path) =>
      /\.(?:tests|spec|specs)\.[cm]?[jt]sx?$|[_-]test\.ts$|\.test\.(?!ts$)/.test(path),
    );
    const outside = [...paths('src'), ...paths('agents'), ...paths('tools')].filter((path) => /\.(?:test|spec)\./.test(path));
    expect([...strays, ...outside]).toEqual([]);
  });

  it('every dependency is pinned to one version', () => {
    const { dependencies, devDependencies } = JSON.parse(readText('package.json'));
    const loose = Object.entries<string>({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
    );
    expect(loose).toEqual([]);
  });
});
