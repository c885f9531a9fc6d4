import type { Socket } from 'node:net';
import { type Prng, prng } from '../../src/std/prng.ts';
import type { OpenFront } from './front.ts';
import { PatternCheck, patternBody } from './pattern.ts';
import { StrictBackend, breakOff } from './strict-backend.ts';
import { type Received, StrictClient } from './strict-client.ts';

/**
 * Agents that break off at a random byte of an answer: no client may take what it got for the whole, and every byte that it got
 * has to be the right one. Each answer in eight is not broken off, so that "never whole" cannot be how it is done.
 */
const LANES = 8;
const BODY_BYTES_MAX = 400_000;
const CLIENTS = ['1.1, kept', '1.1, close', '1.0', '1.0, kept'] as const;
const FRAMINGS = ['length', 'chunked', 'close'] as const;

interface Plan {
  readonly framing: (typeof FRAMINGS)[number];
  readonly client: (typeof CLIENTS)[number];
  readonly bodyBytes: number;
  /** Of head and body as they are on the wire. */
  readonly wire: Buffer;
  /** So many bytes of it are sent; null: all, and in order. */
  readonly cutAt: number | null;
  /** `end`: a FIN instead of a reset, where that is no end of the body. */
  readonly by: 'reset' | 'end';
  /** Between the bytes and the break: 0 lets the reset overtake them. */
  readonly pauseMs: number;
}

export interface ResetFigures {
  readonly seed: number;
  readonly resets: number;
  readonly unbroken: number;
  /** By what the client saw. */
  readonly seen: Readonly<Record<string, number>>;
  readonly bodyBytes: number;
  readonly shownAsSuccess: readonly string[];
  readonly wrongBytes: readonly string[];
  readonly others: readonly string[];
}

export async function withstandResets(open: OpenFront, resets: number, seed: number): Promise<ResetFigures> {
  const random = prng(seed);
  const plans: Plan[] = [];
  for (let broken = 0; broken < resets;) {
    const plan = planOf(plans.length, random);
    plans.push(plan);
    if (plan.cutAt !== null) broken += 1;
  }
  const backend = await new StrictBackend({ whole: ({ target }, socket) => play(plans[Number(target.slice(1))], socket) }).open();
  const front = await open({ kai: backend.address });
  const figures = { seen: {} as Record<string, number>, bodyBytes: 0 };
  const shownAsSuccess: string[] = [];
  const wrongBytes: string[] = [];
  const others: string[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    let kept: StrictClient | null = null;
    for (let index = next++; index < plans.length; index = next++) {
      const plan = plans[index]!;
      const client: StrictClient = kept?.isIdle === true ? kept : await StrictClient.open(front.address);
      const check = new PatternCheck(index);
      const got = await ask(client, index, plan, check);
      kept = client;
      const own = got.head?.status === 200;
      const name = `${index}: ${plan.framing} to HTTP/${plan.client}, ${plan.cutAt ?? 'all'} of ${plan.wire.length} bytes, ${plan.by}`;
      const saw = got.head === null ? 'no answer' : own ? `200, ${got.end}` : `${got.head.status}, ${got.end}`;
      figures.seen[saw] = (figures.seen[saw] ?? 0) + 1;
      if (own) figures.bodyBytes += check.bytes;
      if (own && (check.wrongAt !== null || check.bytes > plan.bodyBytes)) wrongBytes.push(name);
      if (plan.cutAt === null) {
        if (!own || got.end !== 'whole' || check.bytes !== plan.bodyBytes)
          others.push(`${name}: not broken, but ${saw} ${got.why}`);
      } else if (own && got.end === 'whole') shownAsSuccess.push(name);
      if (got.end === 'silent' || got.end === 'malformed') others.push(`${name}: ${got.end}, ${got.why}`);
    }
    kept?.destroy();
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const ended = front.ended();
  if (ended !== null) others.push(`the daemon has ended: ${ended}`);
  others.push(...backend.malformed.map((what) => `the agent was sent ${what}`));
  await front.close();
  await backend.close();
  return { seed, resets, unbroken: plans.length - resets, ...figures, shownAsSuccess, wrongBytes, others };
}

function ask(client: StrictClient, index: number, plan: Plan, check: PatternCheck): Promise<Received> {
  const version = plan.client.slice(0, 3);
  const connection = plan.client === '1.1, close' ? 'close' : plan.client === '1.0' ? null : 'keep-alive';
  const lines = connection === null ? '' : `Connection: ${connection}\r\n`;
  let own = false;
  const answer = client.answer({
    onHead: ({ status }) => (own = status === 200),
    onBody: (chunk) => own && check.take(chunk),
  });
  client.send(`GET /${index} HTTP/${version}\r\nHost: kai.test\r\n${lines}\r\n`);
  return answer;
}

function planOf(index: number, random: Prng): Plan {
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!;
  const framing = pick(FRAMINGS);
  const bodyBytes = pick([0, 1, random.below(100), random.below(5_000), random.below(BODY_BYTES_MAX)]);
  const body = patternBody(index, bodyBytes);
  const lines = {
    length: `Content-Length: ${bodyBytes}\r\n`,
    chunked: 'Transfer-Encoding: chunked\r\n',
    close: 'Connection: close\r\n',
  };
  const head = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n${lines[framing]}\r\n`);
  const wire = Buffer.concat([head, ...(framing === 'chunked' ? chunksOf(body, random) : [body])]);
  const edges = [0, 1, head.length - 1, head.length, head.length + 1, wire.length - 1].filter((at) => at < wire.length);
  // A close-delimited answer is broken off by a reset even behind its last byte, and by nothing else.
  const last = framing === 'close' ? wire.length + 1 : wire.length;
  const anywhere = [
    random.below(head.length),
    random.below(last),
    random.below(last),
    head.length + random.below(last - head.length),
  ];
  const cutAt = pick([...anywhere.filter((at) => at < last), pick(edges), pick(edges)]);
  return {
    framing,
    client: pick(CLIENTS),
    bodyBytes,
    wire,
    cutAt: random.below(8) === 0 ? null : cutAt,
    by: framing === 'close' || random.below(3) > 0 ? 'reset' : 'end',
    pauseMs: pick([0, 0, 1, 5]),
  };
}

function chunksOf(body: Buffer, random: Prng): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const chunk = body.subarray(at, at + 1 + random.below(60_000));
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
    at += chunk.length;
  }
  return [...parts, Buffer.from('0\r\n\r\n')];
}

function play(plan: Plan | undefined, socket: Socket): void {
  if (plan === undefined) return void socket.destroy();
  const { wire, cutAt, by, pauseMs } = plan;
  if (cutAt === null) {
    socket.write(wire);
    if (plan.framing === 'close') socket.end();
    return;
  }
  const end = (): void => breakOff(socket, by);
  const sent = (): void => {
    if (pauseMs === 0) end();
    else setTimeout(end, pauseMs);
  };
  if (cutAt === 0) sent();
  else socket.write(wire.subarray(0, cutAt), sent);
}
