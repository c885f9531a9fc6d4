import { ITEM_BYTES_MAX, type Request, SAID, type StoreVerb, uint64 } from './request.ts';

/** What a command line asks for: a whole request, or one whose value follows. */
export type Line =
  | { readonly kind: 'whole'; readonly request: Request }
  | { readonly kind: 'block'; readonly bytes: number; readonly tooLarge: boolean; readonly finish: (value: Buffer) => Request };

const KEY_BYTES_MAX = 250;
/** Beyond it memcached takes the line for nonsense, and the block for commands. */
const BLOCK_BYTES_MAX = 2 ** 31 - 3;

/** Which answer a wrong line gets follows memcached 1.6, in which a suite of tests finds no difference. */
export function readLine(text: string): Line {
  const words = text.split(' ').filter((word) => word !== '');
  const [verb = '', ...rest] = words;
  switch (verb) {
    case 'get':
    case 'gets':
      return get(rest, verb === 'gets');
    case 'set':
    case 'add':
    case 'replace':
    case 'append':
    case 'prepend':
      return rest.length < 4 || rest.length > 5 ? say(SAID.error) : store(verb, rest);
    case 'cas':
      return rest.length < 5 || rest.length > 6 ? say(SAID.error) : store(verb, rest);
    case 'incr':
    case 'decr':
      return count(rest, verb === 'decr');
    case 'delete':
      return remove(rest);
    case 'touch':
      return touch(rest);
    case 'flush_all':
      return flush(rest);
    case 'verbosity':
      return verbosity(rest);
    case 'version':
      return say(SAID.version);
    case 'stats':
      return rest.length === 0 ? whole({ kind: 'stats' }) : say(SAID.error);
    case 'quit':
      return whole({ kind: 'end', text: '' });
    default:
      return say(SAID.error);
  }
}

const whole = (request: Request): Line => ({ kind: 'whole', request });
const say = (text: string, noreply = false): Line => whole({ kind: 'say', text, noreply });
const quiet = (words: readonly string[]): boolean => words.at(-1) === 'noreply';
const isKey = (word: string): boolean => word.length <= KEY_BYTES_MAX;

function get(keys: readonly string[], withUnique: boolean): Line {
  if (keys.length === 0) return say(SAID.error);
  return keys.every(isKey) ? whole({ kind: 'get', keys, withUnique }) : say(SAID.badLine);
}

function store(verb: StoreVerb, words: readonly string[]): Line {
  const [key = '', flagsText = '', exptimeText = '', bytesText = '', uniqueText = ''] = words;
  const noreply = quiet(words);
  const flags = numberIn(flagsText, 0, 2 ** 32 - 1);
  const exptime = exptimeOf(exptimeText);
  const bytes = numberIn(bytesText, 0, BLOCK_BYTES_MAX);
  // Uniques of ours are exact as numbers. One that is too large for that is rounded, and equals none of them.
  const unique = verb === 'cas' ? uint64(uniqueText) : null;
  const wrong = flags === null || exptime === null || bytes === null || (verb === 'cas' && unique === null);
  if (wrong || !isKey(key)) return say(SAID.badLine, noreply);
  const tooLarge = key.length + bytes > ITEM_BYTES_MAX;
  return {
    kind: 'block',
    bytes,
    tooLarge,
    finish: (value) =>
      tooLarge
        ? { kind: 'too-large', forget: verb === 'set' ? key : null, noreply }
        : { kind: 'store', verb, key, flags, exptime, value, unique: unique === null ? null : Number(unique), noreply },
  };
}

function count(words: readonly string[], down: boolean): Line {
  const [key = '', byText = ''] = words;
  if (words.length < 2 || words.length > 3) return say(SAID.error);
  const noreply = quiet(words);
  if (!isKey(key)) return say(SAID.badLine, noreply);
  const by = uint64(byText);
  return by === null ? say(SAID.badDelta, noreply) : whole({ kind: 'count', key, by, down, noreply });
}

function remove(words: readonly string[]): Line {
  const [key = '', second = ''] = words;
  if (words.length < 1 || words.length > 3) return say(SAID.error);
  const noreply = words.length > 1 && quiet(words);
  // A zero, once the seconds for which the key was to stay locked, is still let through.
  const plain = words.length === 1 || (words.length === 2 && (noreply || second === '0')) || (second === '0' && noreply);
  if (!plain) return say(SAID.badDelete, noreply);
  return isKey(key) ? whole({ kind: 'delete', key, noreply }) : say(SAID.badLine, noreply);
}

function touch(words: readonly string[]): Line {
  const [key = '', exptimeText = ''] = words;
  if (words.length < 2 || words.length > 3) return say(SAID.error);
  const noreply = quiet(words);
  if (!isKey(key)) return say(SAID.badLine, noreply);
  const exptime = exptimeOf(exptimeText);
  return exptime === null ? say(SAID.badExptime, noreply) : whole({ kind: 'touch', key, exptime, noreply });
}

function flush(words: readonly string[]): Line {
  if (words.length > 2) return say(SAID.error);
  const noreply = quiet(words);
  const [delayText = '0'] = words.filter((word) => word !== 'noreply');
  const delay = exptimeOf(delayText);
  if (delay === null) return say(SAID.badExptime, noreply);
  return delay > 0 ? say(SAID.laterFlush, noreply) : whole({ kind: 'flush', noreply });
}

/** There is nothing to turn up or down, so only the form is looked at. */
function verbosity(words: readonly string[]): Line {
  if (words.length < 1 || words.length > 2) return say(SAID.error);
  const noreply = quiet(words);
  return noreply || uint64(words[0] ?? '') !== null ? say('OK', noreply) : say(SAID.badLine);
}

/** Seconds; ten digits reach the year 2286. memcached counts in 32 bits and takes later dates for past ones. */
const exptimeOf = (text: string): number | null => numberIn(text, -9_999_999_999, 9_999_999_999);

function numberIn(text: string, min: number, max: number): number | null {
  if (!/^[+-]?[0-9]{1,20}$/.test(text)) return null;
  const value = Number(text);
  return value >= min && value <= max ? value : null;
}
