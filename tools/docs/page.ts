/**
 * A page of docs/ that is made from code. Each generator is a file beside this one and is listed in tools/docs.ts.
 */
export interface Page {
  /** Name of the file in docs/. */
  readonly file: string;
  /** The whole page, ending in a newline. The same code gives the same text. */
  render(): string;
}

/** The line that every generated page begins with, below its title. */
export const madeFrom = (source: string): string => `<!-- Made from ${source} by \`npm run docs\`. Edit that, not this. -->`;

/** A Markdown table. Bars in cells are escaped, since they would begin a new cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export const code = (text: string): string => `\`${text}\``;
export const codes = (names: readonly string[]): string => names.map(code).join(', ');

/** The parts of a page, one empty line between them. */
export const paragraphs = (...parts: readonly string[]): string => `${parts.join('\n\n')}\n`;
