/**
 * The one way in which header lines pass through: requests, responses, upgrades and their 101 alike (RFC 9110 section
 * 7.6.1). CVEs in this field come from an upgrade path that forgot what the request path does, so there is no second
 * function. Lines are raw arrays of name, value, name, value: duplicates, order and spelling survive, and nothing is
 * copied into an object whose keys a client chooses.
 *
 * Sifting comes first and the caller adds its own lines afterwards. In the other order a client sends
 * `Connection: x-forwarded-for` and erases the only record of who is calling.
 */
export class Sifted {
  /** Lines to pass on. The caller adds its own behind them. */
  kept: string[] = [];
  /** Two Host lines are joined like any others, and then are no valid host. */
  host: string | null = null;
  contentLength: string | null = null;
  transferCoding: string | null = null;
  /** Option tokens of every Connection line, lower case. */
  connection: readonly string[] = [];
  upgrade: string | null = null;
  expect: string | null = null;
  te: string | null = null;
  trailer: string | null = null;
  requestId: string | null = null;
  forwardedFor: string | null = null;
  forwardedProto: string | null = null;
  forwardedHost: string | null = null;
  cloudflareClient: string | null = null;
  userAgent: string | null = null;
  /** Bytes of all lines as `name: value CRLF`. */
  bytes = 0;
}

type Note = 'drop' | Exclude<keyof Sifted, 'kept' | 'connection' | 'bytes'> | 'connection' | 'identity';
/** What becomes of a field, by its name. */
export class Fields {
  private readonly notes: ReadonlyMap<string, Note>;
  private readonly unlisted: (lower: string, fields: Fields) => Note | 'keep';
  /** Names as they were spelled: messages use the same few thousands of times a second. */
  private readonly spelled = new Map<string, Note | 'keep'>();

  constructor(notes: readonly (readonly [string, Note])[], unlisted: (lower: string, fields: Fields) => Note | 'keep') {
    this.notes = new Map(notes);
    this.unlisted = unlisted;
  }

  noteOf(name: string): Note | 'keep' {
    const known = this.spelled.get(name);
    if (known !== undefined) return known;
    const note = this.noteOfLower(name.toLowerCase());
    if (this.spelled.size < SPELLED_MAX && name.length <= SPELLED_CHARS_MAX) this.spelled.set(name, note);
    return note;
  }

  noteOfLower(lower: string): Note | 'keep' {
    return this.notes.get(lower) ?? this.unlisted(lower, this);
  }
}

/** Who sends ever new names makes no more than these be remembered. */
const SPELLED_MAX = 1000;
const SPELLED_CHARS_MAX = 64;

// Framing is never passed on; it is made anew from what was parsed (RFC 9112 section 6.3), so that no two parties can
// disagree on where a message ends.
const HOP_BY_HOP: readonly (readonly [string, Note])[] = [
  ['connection', 'connection'],
  ['keep-alive', 'drop'],
  ['te', 'te'],
  ['trailer', 'trailer'],
  ['transfer-encoding', 'transferCoding'],
  ['content-length', 'contentLength'],
  ['upgrade', 'upgrade'],
  ['http2-settings', 'drop'],
  ['x-request-id', 'requestId'],
];

/** Lines of a request that are noted or dropped. `identity`: passed on only from a trusted proxy. */
export const REQUEST_FIELDS = new Fields(
  [
    ...HOP_BY_HOP,
    ['host', 'host'],
    ['expect', 'expect'],
    ['forwarded', 'drop'],
    ['x-forwarded-for', 'forwardedFor'],
    ['x-forwarded-proto', 'forwardedProto'],
    ['x-forwarded-host', 'forwardedHost'],
    ['cf-connecting-ip', 'cloudflareClient'],
    ['user-agent', 'userAgent'],
    ['x-real-ip', 'identity'],
    ['true-client-ip', 'identity'],
  ],
  unlistedInRequest,
);

export const RESPONSE_FIELDS = new Fields(HOP_BY_HOP, unlistedInResponse);

/** Splits the lines of one message. `trusted`: the sender's word on who is calling counts. */
export function sift(raw: readonly string[], fields: Fields, trusted: boolean): Sifted {
  const sifted = new Sifted();
  let connection: string | null = null;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? '';
    const value = raw[at + 1] ?? '';
    sifted.bytes += name.length + value.length + 4;
    const note = fields.noteOf(name);
    if (note === 'keep' || (note === 'identity' && trusted)) {
      sifted.kept.push(name, value);
    } else if (note === 'connection') {
      connection = connection === null ? value : `${connection},${value}`;
    } else if (note !== 'drop' && note !== 'identity') {
      const before = sifted[note];
      sifted[note] = before === null ? value : `${before}, ${value}`;
      if (note === 'userAgent' || (note === 'cloudflareClient' && trusted)) sifted.kept.push(name, value);
    }
  }
  if (connection !== null) dropNominated(sifted, connection);
  return sifted;
}

/** Families of names, and the spelling with underscores that CGI-like agents cannot tell from the real one. */
function unlistedInRequest(lower: string, fields: Fields): Note | 'keep' {
  if (lower.startsWith('x-forwarded-') || lower.startsWith('cf-')) return 'identity';
  if (lower.includes('_') && fields.noteOfLower(lower.replaceAll('_', '-')) !== 'keep') return 'drop';
  return unlistedInResponse(lower);
}

function unlistedInResponse(lower: string): Note | 'keep' {
  return lower.startsWith('proxy-') ? 'drop' : 'keep';
}

function dropNominated(sifted: Sifted, connection: string): void {
  // Nearly every answer says this, and it names no line.
  if (connection === 'keep-alive') return;
  const options = listOf(connection);
  sifted.connection = options;
  if (options.every((option) => option === 'keep-alive' || option === 'close' || option === 'upgrade')) return;
  const nominated = new Set(options);
  const kept: string[] = [];
  for (let at = 0; at + 1 < sifted.kept.length; at += 2) {
    const name = sifted.kept[at] ?? '';
    if (!nominated.has(name.toLowerCase())) kept.push(name, sifted.kept[at + 1] ?? '');
  }
  sifted.kept = kept;
}

/** Members of a comma-separated list (RFC 9110 section 5.6.1), lower case, without empty ones. */
export function listOf(value: string): string[] {
  const members: string[] = [];
  for (const part of value.split(',')) {
    // RFC 9110 section 5.6.3: SP and HTAB, and not the blanks of Unicode.
    const member = part.replace(/^[\t ]+|[\t ]+$/g, '').toLowerCase();
    if (member !== '') members.push(member);
  }
  return members;
}

// RFC 9110 section 6.5.1, with the list of RFC 7230 section 4.1.2: what frames, routes, authenticates or conditions a message, or
// says how to read it, must not come after its content.
const NEVER_TRAILING: ReadonlySet<string> = new Set([
  ...['age', 'authorization', 'cache-control', 'content-encoding', 'content-length', 'content-range', 'content-type', 'cookie'],
  ...['date', 'expires', 'host', 'if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since'],
  ...['location', 'max-forwards', 'pragma', 'range', 'retry-after', 'set-cookie', 'trailer', 'transfer-encoding', 'vary'],
  ...['warning', 'www-authenticate'],
]);

/**
 * Trailer lines that may be passed on, as pairs; they are never merged into the head. `fields`: of a request or a response.
 * `nominated`: what Connection names in the head, which holds for trailers too (RFC 9110 section 7.6.1).
 */
export function siftTrailers(raw: readonly string[], fields: Fields, nominated: readonly string[]): [string, string][] {
  const { kept } = sift(raw, fields, false);
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < kept.length; at += 2) {
    const name = kept[at] ?? '';
    const lower = name.toLowerCase();
    if (!NEVER_TRAILING.has(lower) && !nominated.includes(lower)) pairs.push([name, kept[at + 1] ?? '']);
  }
  return pairs;
}
