import type { AgentProblemCode } from '../../contract/problems.ts';
import type { Outlook, WaitReason } from '../../core/outlook.ts';
import { assert } from '../../std/assert.ts';
import type { Millis } from '../../std/time.ts';

/**
 * What the waiting page says, in words for people who know nothing of daemons. Said here alone: the page gets later scenes
 * ready-made with the state, so that its script has no words of its own that could say something else.
 */
export interface Scene {
  /**
   * `open`: reload, it is there. `coming`: it comes by itself. `halted`: it does not, and the reader is told why. `idle`: it
   * does not and nothing is wrong, which is no news to somebody who was told why before.
   */
  readonly kind: 'open' | 'coming' | 'halted' | 'idle';
  readonly heading: string;
  readonly text: string;
  readonly bar: 'measured' | 'unknown' | 'none';
  /** After this long the page asks again, and counts it down. Null: it waits to be told. */
  readonly againSeconds: number | null;
}

/** A start that takes longer than nine of ten is slow from here on: half as long again, and never for the sake of a second. */
const SLOW_FACTOR = 1.5;
const SLOW_MARGIN_MS = 3_000;
/** Where nothing was measured. */
const UNKNOWN_SLOW_MS = 20_000;

/** As names and not states: `frozen` is thawed by the request that the reload is. */
const OPEN: ReadonlySet<string> = new Set(['ready', 'running', 'frozen']);

/** `title`: as in the config, not escaped. */
export function sceneOf(outlook: Outlook, title: string): Scene {
  const { state, reason, isComing, startsIn, retryAfterSeconds } = outlook;
  if (OPEN.has(state)) return { kind: 'open', heading: 'Ready', text: `Opening ${title}.`, bar: 'none', againSeconds: null };
  if (state === 'starting') return starting(outlook, title);
  if (reason === 'capacity' && isComing) {
    return coming('Waiting for a free place', `As many are awake as fit. ${title} starts as soon as there is room.`);
  }
  const againSeconds = isComing ? (startsIn === null ? null : Math.ceil(startsIn / 1000)) : retryAfterSeconds;
  if (reason !== null && (againSeconds !== null || !isComing))
    return { kind: 'halted', bar: 'none', againSeconds, ...WHY[reason](title) };
  if (state === 'draining' && isComing) return coming('Restarting', `${title} is not well and is being restarted.`);
  if (state === 'stopping' && isComing)
    return coming('Waking up', `${title} is still stopping. It starts again as soon as it has.`);
  if (isComing) return coming('Waking up', `${title} fell asleep a moment ago. It starts again in a moment.`);
  if (state === 'stopping' || state === 'draining') {
    return { kind: 'halted', heading: 'Going to sleep', text: `${title} is just being put to sleep.`, bar: 'none', againSeconds };
  }
  return { kind: 'idle', heading: 'Asleep', text: `${title} is asleep. This page wakes it.`, bar: 'none', againSeconds };
}

/** When a start that is under way becomes a slow one; null when it is one, or none is under way. */
export function slowIn({ elapsed, typical }: Outlook): Millis | null {
  if (elapsed === null) return null;
  const left = (typical === null ? UNKNOWN_SLOW_MS : Math.max(typical * SLOW_FACTOR, typical + SLOW_MARGIN_MS)) - elapsed;
  return left > 0 ? (left as Millis) : null;
}

function starting(outlook: Outlook, title: string): Scene {
  const { typical, elapsed } = outlook;
  assert(elapsed !== null, 'a start that is under way has begun some time');
  const usual = typical === null ? null : `It usually takes ${about(typical)}.`;
  if (slowIn(outlook) === null) {
    const text = `${title} is still starting. ${usual ?? 'How long that takes is not known yet.'}`;
    return coming(usual === null ? 'Taking a while' : 'Taking longer than usual', text, outlook);
  }
  return coming('Starting', `${title} was asleep and is starting. ${usual ?? 'How long that takes is not known yet.'}`, outlook);
}

function coming(heading: string, text: string, outlook: Outlook | null = null): Scene {
  return { kind: 'coming', heading, text, bar: (outlook?.typical ?? null) === null ? 'unknown' : 'measured', againSeconds: null };
}

type Words = Pick<Scene, 'heading' | 'text'>;

const FAILED = 'It did not start';
const failed =
  (why: string) =>
  (title: string): Words => ({ heading: FAILED, text: `${title} ${why}` });

/** Nothing in here repeats a `detail`, and nothing tells how the agent is run. */
const WHY: Readonly<Record<WaitReason, (title: string) => Words>> = {
  'startup-timeout': failed('was started, but was not ready in time.'),
  exited: failed('was started, but ended by itself.'),
  'start-failed': failed('could not be started.'),
  'stop-failed': failed('could not be stopped, and cannot be started anew before it is.'),
  'health-failed': (title) => ({ heading: 'It is not well', text: `${title} runs, but does not answer as it should.` }),
  'engine-unavailable': (title) => ({ heading: 'Out of reach', text: `What runs ${title} cannot be reached at the moment.` }),
  'kept-asleep': (title) => ({ heading: 'Kept asleep', text: `Whoever runs ${title} keeps it asleep for now.` }),
  capacity: (title) => ({ heading: 'No free place', text: `As many are awake as fit, and all are busy. ${title} has to wait.` }),
  'wake-limit': (title) => ({ heading: 'One moment', text: `Too much was woken from your address. ${title} is woken later.` }),
  'wake-limit-total': (title) => ({ heading: 'One moment', text: `Too much was woken at once. ${title} is woken later.` }),
  'hold-queue-full': (title) => ({
    heading: 'Many are waiting',
    text: `More people wait for ${title} than it can let in at once.`,
  }),
} satisfies Record<AgentProblemCode | WaitReason, (title: string) => Words>;

/** A length of time as people say it. */
export function about(time: Millis): string {
  const seconds = Math.max(1, Math.round(time / 1000));
  if (seconds < 90) return seconds === 1 ? 'about a second' : `about ${seconds} seconds`;
  return `about ${Math.round(seconds / 60)} minutes`;
}
