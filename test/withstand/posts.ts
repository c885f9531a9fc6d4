import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type Prng, prng } from '../../src/std/prng.ts';
import type { OpenFront } from './front.ts';
import { patternBody } from './pattern.ts';
import { type SeenRequest, StrictBackend, answerTo, breakOff } from './strict-backend.ts';
import { type Received, StrictClient } from './strict-client.ts';

/**
 * A POST may be carried out once or never, whatever happens to the connection it is on (RFC 9110 section 9.2.2). The backend
 * counts what reached it whole; but a head that came twice is once too often too, since many agents act on a head.
 */
const FAULTS = [
  'at accept',
  'in head',
  'after head',
  'in body',
  'after body',
  'in the head of the answer',
  'in the body of the answer',
  'while idle',
] as const;
type Fault = (typeof FAULTS)[number];

interface Plan {
  readonly fault: Fault;
  /** On a connection that has carried a request before: the kind a proxy may try again on. */
  readonly isKept: boolean;
  readonly framing: 'length' | 'chunked' | 'none';
  readonly bodyBytes: number;
  readonly by: 'reset' | 'end';
  /** Between the head and the body. */
  readonly pauseMs: number;
  /** Of the fault `while idle`, before or behind the POST. */
  readonly idleForMs: number;
}

export interface PostFigures {
  readonly seed: number;
  readonly faults: number;
  readonly byFault: Readonly<Record<string, number>>;
  /** POSTs that reached the backend whole, by how often: `once` and `never` are fine. */
  readonly executed: Readonly<Record<string, number>>;
  readonly outcomes: Readonly<Record<string, number>>;
  /** Faults on a kept connection. */
  readonly kept: number;
  /** Whose head came more than once. */
  readonly twice: readonly string[];
  readonly others: readonly string[];
}

export async function withstandPostFaults(open: OpenFront, faults: number, seed: number): Promise<PostFigures> {
  const random = prng(seed);
  const backend = await new StrictBackend({ whole: answer }).open();
  const front = await open({ kai: backend.address });
  const tally = {
    byFault: {} as Record<string, number>,
    executed: {} as Record<string, number>,
    outcomes: {} as Record<string, number>,
  };
  const count = (of: Record<string, number>, what: string): void => void (of[what] = (of[what] ?? 0) + 1);
  const twice: string[] = [];
  const others: string[] = [];
  let kept = 0;
  for (let index = 0; index < faults; index += 1) {
    const plan = planOf(index, random);
    if (plan.isKept) kept += 1;
    backend.requests.length = 0;
    backend.script = { whole: answer };
    const client = await StrictClient.open(front.address);
    await prepare(backend, client, plan.isKept);
    const outcome = await post(backend, client, index, plan);
    client.destroy();
    const name = `${index}: ${plan.fault} by ${plan.by}, ${plan.isKept ? 'kept' : 'new'}, ${plan.framing} ${plan.bodyBytes}`;
    const seen = backend.requests.filter(({ target }) => target === `/${index}`);
    const whole = seen.filter(({ isWhole }) => isWhole).length;
    count(tally.byFault, plan.fault);
    count(tally.executed, ['never', 'once'][whole] ?? `${whole} times`);
    count(tally.outcomes, outcome.head === null ? outcome.end : `${outcome.head.status}, ${outcome.end}`);
    if (seen.length > 1) twice.push(`${name}: ${seen.length} heads, ${whole} whole`);
    others.push(...backend.malformed.splice(0).map((what) => `${name}: the agent was sent ${what}`));
    if (outcome.end === 'silent' || outcome.end === 'malformed') others.push(`${name}: ${outcome.end}, ${outcome.why}`);
    if (outcome.head?.status === 200 && outcome.end === 'whole' && whole !== 1)
      others.push(`${name}: 200, though carried out ${whole} times`);
  }
  const ended = front.ended();
  if (ended !== null) others.push(`the daemon has ended: ${ended}`);
  await front.close();
  await backend.close();
  return { seed, faults, ...tally, kept, twice, others };
}

function planOf(index: number, random: Prng): Plan {
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!;
  const fault = FAULTS[index % FAULTS.length]!;
  const framing = pick(['length', 'length', 'chunked', 'none'] as const);
  return {
    fault,
    isKept: fault === 'while idle' || random.below(2) === 0,
    framing,
    bodyBytes: framing === 'none' ? 0 : 1 + pick([0, random.below(1000), random.below(200_000)]),
    by: pick(['reset', 'end']),
    pauseMs: pick([0, 0, 2, 10]),
    idleForMs: pick([-1, 0, 0, 1, 2]),
  };
}

/** One kept connection between front and backend, or none. */
async function prepare(backend: StrictBackend, client: StrictClient, isKept: boolean): Promise<void> {
  for (const socket of [...backend.sockets]) socket.destroy();
  // The front has to hear of that before it is asked for something.
  await pause(3);
  if (!isKept) return;
  const warm = client.answer();
  client.send('GET /warm HTTP/1.1\r\nHost: kai.test\r\n\r\n');
  await warm;
}

/** The fault strikes once: what is tried again afterwards is served. */
async function post(backend: StrictBackend, client: StrictClient, index: number, plan: Plan): Promise<Received> {
  let struck = false;
  const strike = (at: Fault, socket: Socket): boolean => {
    if (struck || plan.fault !== at) return false;
    struck = true;
    breakOff(socket, plan.by);
    return true;
  };
  const isIt = ({ target }: SeenRequest): boolean => target === `/${index}`;
  backend.script = {
    accepted: (socket) => void strike('at accept', socket),
    came: (socket) => void strike('in head', socket),
    began: (request, socket) => {
      if (isIt(request)) strike('after head', socket);
    },
    bodyCame: (request, socket) => {
      if (isIt(request)) strike('in body', socket);
    },
    whole: (request, socket) => {
      if (!isIt(request) || strike('after body', socket)) return;
      const bytes = answerTo(request);
      const cut = plan.fault === 'in the head of the answer' ? 1 : bytes.length - 1;
      if (struck || !plan.fault.includes('of the answer')) return void socket.write(bytes);
      socket.write(bytes.slice(0, cut), () => void strike(plan.fault, socket));
    },
  };
  const body = patternBody(index, plan.bodyBytes);
  const answered = client.answer();
  const idle = [...backend.sockets];
  if (plan.fault === 'while idle' && plan.idleForMs === -1) {
    for (const socket of idle) strike('while idle', socket);
    await pause(0);
  }
  const framing = {
    length: `Content-Length: ${body.length}\r\n`,
    chunked: 'Transfer-Encoding: chunked\r\n',
    none: 'Content-Length: 0\r\n',
  };
  client.send(`POST /${index} HTTP/1.1\r\nHost: kai.test\r\n${framing[plan.framing]}\r\n`);
  if (plan.fault === 'while idle' && plan.idleForMs > 0)
    setTimeout(() => void idle.map((socket) => strike('while idle', socket)), plan.idleForMs);
  if (plan.pauseMs > 0) await pause(plan.pauseMs);
  if (plan.framing === 'length') client.send(body);
  if (plan.framing === 'chunked')
    client.send(Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]));
  if (plan.fault === 'while idle') for (const socket of idle) strike('while idle', socket);
  return answered;
}

const answer = (request: SeenRequest, socket: Socket): void => void socket.write(answerTo(request));
