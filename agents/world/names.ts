import { createHash } from 'node:crypto';

/** Names and colours by hash, so that everybody who sees a task id shows the same trooper without asking anyone. */
const ADJECTIVES = ['Brave', 'Silent', 'Iron', 'Rapid', 'Lucky', 'Grim', 'Bold', 'Solar', 'Rusty', 'Steel'] as const;
const NOUNS = ['Badger', 'Falcon', 'Viper', 'Hammer', 'Comet', 'Wolf', 'Raven', 'Lancer', 'Mantis', 'Tiger'] as const;

export function generatedName(taskId: string): string {
  const hash = BigInt(`0x${md5(taskId)}`);
  return `${ADJECTIVES[Number(hash % 10n)] ?? ''}${NOUNS[Number((hash / 10n) % 10n)] ?? ''}`;
}

/** `#` and six hexadecimal digits. */
export const colorOf = (text: string): string => `#${md5(text).slice(0, 6)}`;

/** No secret is hashed here, and nothing rests on it being hard to guess. */
const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
