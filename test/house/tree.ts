import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The project's own source as the style tests see it: what is on disk, committed or not. */
export interface SourceFile {
  /** Relative to the root of the project, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

const ROOT = join(import.meta.dirname, '..', '..');

export const readText = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Every TypeScript file under the folders named; a folder that does not exist has none. */
export function sourceFiles(...folders: readonly string[]): readonly SourceFile[] {
  return folders.flatMap((folder) =>
    paths(folder)
      .filter((path) => /\.tsx?$/.test(path))
      .map((path) => {
        const text = readText(path);
        return { path, text, lines: text.replace(/\n$/, '').split('\n') };
      }),
  );
}

/** Every file below a folder, in a stable order. */
export function paths(folder: string): readonly string[] {
  let entries;
  try {
    entries = readdirSync(join(ROOT, folder), { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return entries
    .flatMap((entry) => (entry.isDirectory() ? paths(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`]))
    .sort();
}
