import { readText } from '../house/tree.ts';

/** What a page has its reader type: the indented blocks of one section, as they stand there, comments included. */
export function commandBlocks(page: string, section: string): readonly string[] {
  const start = readText(page).split(`\n## ${section}\n`)[1];
  if (start === undefined) throw new Error(`${page} has no section "${section}" any more`);
  const lines = (start.split('\n## ')[0] ?? '').split('\n');
  const blocks: string[] = [];
  let open: string[] = [];
  for (const line of [...lines, '']) {
    if (line.startsWith('    ')) open.push(line.slice(4));
    else if (open.length > 0) {
      blocks.push(open.join('\n'));
      open = [];
    }
  }
  return blocks;
}

/** The one block of a section that says this. */
export function commandBlock(page: string, section: string, words: string): string {
  const found = commandBlocks(page, section).filter((block) => block.includes(words));
  if (found.length !== 1) throw new Error(`${found.length} blocks of ${page}, "${section}", say ${words}; one was wanted`);
  return found[0] ?? '';
}
