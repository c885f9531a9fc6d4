/**
 * Text from elsewhere, made safe to show on a terminal or in a log line. Agents choose some of the strings that the command
 * line prints, and config files may hold anything: an escape sequence must not move the cursor, clear the screen or turn the
 * direction of writing. Replacing instead of dropping keeps a difference visible that somebody tried to hide.
 */
const UNPRINTABLE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff9-\ufffb]/gu;

/** Escapes control, direction and invisible characters, and lone surrogates, as `\uXXXX`. Such text is also valid inside JSON. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** `text` in double quotes, printable and cut after `limit` characters. */
export function quoted(text: string, limit = 80): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}...` : text;
  return printable(JSON.stringify(cut));
}
