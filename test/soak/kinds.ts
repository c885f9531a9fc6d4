import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Prng } from '../../src/std/prng.ts';
import { valuesOf } from '../withstand/message-reader.ts';
import { patternBody } from '../withstand/pattern.ts';
import { StrictClient } from '../withstand/strict-client.ts';
import { CUT } from './causes.ts';
import { type Clients, PATIENCE_MS, Piece, type Visited, wrongWith } from './visit.ts';

/** The kinds of traffic. Each sends something to an agent of its choice, looks at every byte that comes back, and says what it saw. */
export interface Kind {
  readonly name: string;
  /** Of how many it is one, roughly. */
  readonly weight: number;
  readonly run: (clients: Clients, random: Prng) => Promise<Visited>;
}

/** Agents that anything may be asked of; `steady` is left in peace, the others are not. */
const ODD_AGENTS = ['steady', 'odd', 'sleepy', 'ice'] as const;
const FRAMINGS = ['length', 'chunked', 'close'] as const;
const EMPTY: Buffer = Buffer.alloc(0);
const pick = <T>(list: readonly T[], random: Prng): T => list[random.below(list.length)]!;
const anyAgent = (random: Prng): string => pick(ODD_AGENTS, random);
const head = (method: string, agent: string, target: string, lines = '', version = '1.1'): string =>
  `${method} ${target} HTTP/${version}\r\nHost: ${agent}.test\r\n${lines}\r\n`;

interface Getting {
  readonly agent: string;
  readonly bytes: number;
  readonly method?: string;
  readonly version?: string;
  readonly slow?: boolean;
}

async function get(
  clients: Clients,
  random: Prng,
  { agent, bytes, method = 'GET', version = '1.1', slow = false }: Getting,
): Promise<Visited> {
  const body = random.below(1000);
  const client = await clients.take();
  const wait = (): void => {
    client.socket.pause();
    setTimeout(() => client.socket.resume(), 30);
  };
  const piece = new Piece(client, body, bytes, method, slow ? wait : null);
  client.send(head(method, agent, `/bytes?body=${body}&bytes=${bytes}&framing=${pick(FRAMINGS, random)}`, '', version));
  const wrong = await piece.wrong();
  clients.give(client);
  return { agent, wrong, cause: null };
}

async function pipelined(clients: Clients, random: Prng): Promise<Visited> {
  const client = await clients.take();
  const pieces: Piece[] = [];
  let text = '';
  for (let count = 2 + random.below(8); count > 0; count -= 1) {
    const bytes = random.below(3000);
    pieces.push(new Piece(client, count, bytes));
    text += head(
      'GET',
      pick(['steady', 'ice', 'cold'], random),
      `/bytes?body=${count}&bytes=${bytes}&framing=${pick(['length', 'chunked'], random)}`,
    );
  }
  client.send(text);
  const wrongs = await Promise.all(pieces.map((piece) => piece.wrong()));
  clients.give(client);
  return { agent: 'steady', wrong: wrongs.find((wrong) => wrong !== null) ?? null, cause: null };
}

async function upload(clients: Clients, random: Prng, how: 'at once' | 'slowly' | 'expecting'): Promise<Visited> {
  const agent = anyAgent(random);
  const body = patternBody(random.below(1000), 1 + random.below(how === 'at once' ? 1_000_000 : 60_000));
  const isChunked = random.below(2) === 0;
  const client = await clients.take();
  let go = (): void => undefined;
  const mayGo = new Promise<void>((resolve) => (go = resolve));
  const answered = client.answer({ patienceMs: PATIENCE_MS, onInterim: () => go(), onHead: () => go() });
  const framing = isChunked ? 'Transfer-Encoding: chunked\r\n' : `Content-Length: ${body.length}\r\n`;
  const expectation = how === 'expecting' ? 'Expect: 100-continue\r\n' : '';
  client.send(head('POST', agent, `/sink?slow=${random.below(4) === 0 ? 5 : 0}`, framing + expectation));
  if (how === 'expecting') await Promise.race([mayGo, answered]);
  const pieceBytes = how === 'slowly' ? 4096 : 50_000;
  for (let at = 0; at < body.length && !client.closed; at += pieceBytes) {
    const piece = body.subarray(at, at + pieceBytes);
    if (isChunked) client.send(`${piece.length.toString(16)}\r\n`);
    client.send(piece);
    if (isChunked) client.send('\r\n');
    if (how === 'slowly') await pause(60);
  }
  if (isChunked) client.send('0\r\n\r\n');
  const got = await answered;
  clients.give(client);
  const wrong = wrongWith(got, 200);
  const told = wrong === null ? (JSON.parse(got.body.toString()) as { bytes: number; sha256: string }) : null;
  const isEqual = told?.bytes === body.length && told.sha256 === createHash('sha256').update(body).digest('hex');
  return { agent, wrong: wrong ?? (isEqual ? null : `another body arrived: ${got.body.toString()}`), cause: null };
}

async function events(clients: Clients, random: Prng): Promise<Visited> {
  const agent = anyAgent(random);
  const count = 2 + random.below(20);
  const client = await clients.take();
  const answered = client.answer({ patienceMs: PATIENCE_MS });
  client.send(head('GET', agent, `/events?count=${count}&every=${20 + random.below(150)}`, 'Accept: text/event-stream\r\n'));
  const got = await answered;
  clients.give(client);
  const wanted = Array.from({ length: count }, (_, at) => `data: ${at + 1}\n\n`).join('');
  const wrong = wrongWith(got, 200) ?? (got.body.toString() === wanted ? null : 'other events than were sent');
  return { agent, wrong, cause: null };
}

const ASKS =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

/** Frames as a client sends them; this agent gives back the bytes as they are. */
async function rawSocket(clients: Clients, random: Prng): Promise<Visited> {
  const agent = anyAgent(random);
  const client = await StrictClient.open(clients.address);
  const answered = client.answer({ patienceMs: PATIENCE_MS });
  client.send(head('GET', agent, '/echo', ASKS));
  let wrong = wrongWith(await answered, 101);
  let owed = EMPTY;
  let woken = (): void => undefined;
  client.onRaw = (chunk) => {
    // Between two frames the daemon may put in a Close of its own.
    const isOwed = owed.subarray(0, chunk.length).equals(chunk.subarray(0, owed.length));
    const [next] = isOwed ? chunk.subarray(owed.length) : chunk;
    if (!isOwed || next !== undefined) wrong ??= next === 0x88 ? 'cut: the daemon closed it' : 'other bytes than were sent';
    owed = owed.subarray(chunk.length);
    woken();
  };
  client.socket.on('close', () => woken());
  for (let frames = 1 + random.below(30); frames > 0 && wrong === null; frames -= 1) {
    const payload = randomBytes(random.below(2000));
    const size = Buffer.from(payload.length < 126 ? [0x80 | payload.length] : [0xfe, payload.length >> 8, payload.length & 255]);
    const frame = Buffer.concat([Buffer.from([0x82]), size, Buffer.from([1, 2, 3, 4]), payload]);
    owed = frame;
    client.send(frame);
    while (owed.length > 0 && wrong === null) {
      if (client.closed) wrong = 'cut: a tunnel has ended';
      else await new Promise<void>((resolve) => (woken = resolve));
    }
    await pause(random.below(60));
  }
  client.destroy();
  return { agent, wrong, cause: null };
}

async function webSocket(clients: Clients, random: Prng): Promise<Visited> {
  const { host, port } = clients.address;
  const socket = new WebSocket(`ws://${host}:${port}/ws`, { headers: { host: 'hello.test' } });
  let wrong: string | null = null;
  const seen = { last: EMPTY, isClosed: false };
  let woken = (): void => undefined;
  socket.on('error', (error) => (wrong ??= `no answer: ${error.message}`));
  socket.on('open', () => woken());
  socket.on('message', (message: Buffer) => {
    seen.last = message;
    woken();
  });
  socket.on('close', () => {
    seen.isClosed = true;
    woken();
  });
  const something = (): Promise<void> => new Promise((resolve) => (woken = resolve));
  await something();
  for (let messages = 1 + random.below(20); messages > 0 && wrong === null; messages -= 1) {
    const sent = randomBytes(random.below(5000));
    seen.last = EMPTY;
    const answered = something();
    socket.send(sent);
    await answered;
    if (seen.isClosed) wrong = 'cut: a WebSocket was closed';
    else if (!sent.equals(seen.last)) wrong = 'another message than was sent';
    await pause(random.below(60));
  }
  if (isOpen(socket)) {
    const closed = something();
    socket.close(1000);
    await Promise.race([closed, pause(PATIENCE_MS)]);
    if (socket.readyState !== WebSocket.CLOSED) wrong ??= 'a closed WebSocket stays open';
  }
  return { agent: 'hello', wrong, cause: null };
}

const isOpen = ({ readyState }: WebSocket): boolean => readyState === WebSocket.OPEN;

async function plain(clients: Clients, agent: string, target: string, fits: (body: string) => boolean): Promise<Visited> {
  const client = await clients.take();
  const answered = client.answer({ patienceMs: PATIENCE_MS });
  client.send(head('GET', agent, target));
  const got = await answered;
  clients.give(client);
  const wrong =
    wrongWith(got, 200) ?? (fits(got.body.toString()) ? null : `another answer: ${got.body.toString().slice(0, 200)}`);
  return { agent, wrong, cause: null };
}

/** The agent breaks off: that has to be seen, and what came has to be right. */
async function reset(clients: Clients, random: Prng): Promise<Visited> {
  const agent = anyAgent(random);
  const bytes = 1 + random.below(300_000);
  const client = await clients.take();
  const piece = new Piece(client, 7, bytes);
  client.send(head('GET', agent, `/reset?body=7&bytes=${bytes}&at=${random.below(bytes)}`, '', pick(['1.1', '1.0'], random)));
  const wrong = await piece.wrong();
  clients.give(client);
  if (wrong === null) return { agent, wrong: 'shown as success, though it was broken off', cause: null };
  return { agent, wrong, cause: CUT.test(wrong) ? 'agent reset the connection' : null };
}

async function nonsense(clients: Clients, random: Prng): Promise<Visited> {
  const agent = anyAgent(random);
  const client = await clients.take();
  const answered = client.answer({ patienceMs: PATIENCE_MS });
  client.send(head('GET', agent, '/nonsense'));
  const wrong = wrongWith(await answered, 200);
  clients.give(client);
  if (wrong === null) return { agent, wrong: 'two lengths were taken for an answer', cause: null };
  return { agent, wrong, cause: wrong.startsWith('502') ? 'agent answered nonsense' : null };
}

async function tooLarge(clients: Clients, random: Prng): Promise<Visited> {
  const agent = anyAgent(random);
  const client = await clients.take();
  const answered = client.answer({ patienceMs: PATIENCE_MS });
  const bytes = 200_000;
  client.send(head('POST', agent, '/too-large', `Content-Length: ${bytes}\r\n`));
  for (let at = 0; at < bytes && !client.closed; at += 10_000) {
    client.send(patternBody(1, 10_000));
    await pause(1);
  }
  const wrong = wrongWith(await answered, 413);
  client.destroy();
  return { agent, wrong, cause: null };
}

async function leave(clients: Clients, random: Prng): Promise<Visited> {
  const agent = pick([...ODD_AGENTS, 'cold'], random);
  const client = await StrictClient.open(clients.address);
  const bytes = random.below(2_000_000);
  const piece = new Piece(client, 3, bytes);
  if (random.below(3) === 0) client.send(`${head('POST', agent, '/sink', 'Content-Length: 100000\r\n')}the beginning`);
  else client.send(head('GET', agent, `/bytes?body=3&bytes=${bytes}&framing=${pick(FRAMINGS, random)}`));
  await pause(random.below(40));
  if (random.below(2) === 0) client.reset();
  else client.destroy();
  const wrong = await piece.wrong();
  const isExplained = wrong !== null && CUT.test(wrong);
  return { agent, wrong, cause: isExplained ? 'client left' : null };
}

async function refused(clients: Clients): Promise<Visited> {
  const client = await clients.take();
  const answered = client.answer({ patienceMs: PATIENCE_MS });
  client.send(head('GET', 'refuser', '/bytes?body=1&bytes=0&framing=length'));
  const got = await answered;
  clients.give(client);
  const isAsleep = got.head?.status === 503 && valuesOf(got.head.lines, 'retry-after').length === 1;
  return { agent: 'refuser', wrong: isAsleep ? null : wrongWith(got, 200), cause: null };
}

export const KINDS: readonly Kind[] = [
  {
    name: 'small GET',
    weight: 30,
    run: (clients, random) => get(clients, random, { agent: anyAgent(random), bytes: random.below(2000) }),
  },
  {
    name: 'HEAD',
    weight: 3,
    run: (clients, random) => get(clients, random, { agent: anyAgent(random), bytes: 1000, method: 'HEAD' }),
  },
  {
    name: 'HTTP/1.0',
    weight: 5,
    run: (clients, random) => get(clients, random, { agent: anyAgent(random), bytes: random.below(50_000), version: '1.0' }),
  },
  { name: 'pipelined GETs', weight: 4, run: pipelined },
  {
    name: 'download',
    weight: 8,
    run: (clients, random) => get(clients, random, { agent: anyAgent(random), bytes: random.below(3_000_000) }),
  },
  {
    name: 'slow reader',
    weight: 2,
    run: (clients, random) => get(clients, random, { agent: anyAgent(random), bytes: random.below(4_000_000), slow: true }),
  },
  { name: 'upload', weight: 8, run: (clients, random) => upload(clients, random, 'at once') },
  { name: 'slow writer', weight: 2, run: (clients, random) => upload(clients, random, 'slowly') },
  { name: 'upload that expects', weight: 2, run: (clients, random) => upload(clients, random, 'expecting') },
  { name: 'upload refused early', weight: 1, run: tooLarge },
  { name: 'events', weight: 3, run: events },
  { name: 'tunnel', weight: 4, run: rawSocket },
  { name: 'WebSocket', weight: 2, run: webSocket },
  { name: 'hello', weight: 6, run: (clients) => plain(clients, 'hello', '/whoami', (body) => body.includes('"pid"')) },
  { name: 'answer broken off', weight: 4, run: reset },
  { name: 'nonsense answer', weight: 1, run: nonsense },
  { name: 'client leaves', weight: 5, run: leave },
];

/** Asked at a pace of their own, by one client each: seldom enough that the agent sleeps or freezes between. */
export const PACED: readonly { readonly kind: Kind; readonly everyMs: (random: Prng) => number }[] = [
  {
    kind: { name: 'held cold start', weight: 1, run: (clients, random) => get(clients, random, { agent: 'cold', bytes: 500 }) },
    everyMs: (random) => 1500 + random.below(3000),
  },
  {
    kind: { name: 'frozen agent', weight: 1, run: (clients, random) => get(clients, random, { agent: 'frozen', bytes: 500 }) },
    everyMs: (random) => 100 + random.below(1200),
  },
  { kind: { name: 'refused while asleep', weight: 1, run: refused }, everyMs: (random) => 500 + random.below(4000) },
  {
    kind: {
      name: 'agent that comes and goes',
      weight: 1,
      run: (clients, random) => get(clients, random, { agent: 'guest', bytes: random.below(100_000) }),
    },
    everyMs: (random) => 50 + random.below(300),
  },
];
