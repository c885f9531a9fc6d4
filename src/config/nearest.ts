import leven from 'leven';

/** The one of `known` that takes the fewest edits to reach from `word`. */
export function nearestOf(word: string, known: readonly string[]): string {
  // The distance takes time by the product of both lengths, and a key may be as long as the file.
  const short = word.slice(0, 100);
  return known.reduce((best, one) => (leven(short, one) < leven(short, best) ? one : best), known[0] ?? '');
}
