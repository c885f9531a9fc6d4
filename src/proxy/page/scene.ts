import type { Outlook, WaitReason } from '../../core/outlook.ts';
import type { Millis } from '../../std/time.ts';

/**
 * What the waiting page says below the name of the agent, in words for people who know nothing of daemons. Said here alone: the page gets later scenes
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

export function sceneOf(outlook: Outlook): Scene {
  const { state, reason, isComing, startsIn, retryAfterSeconds } = outlook;
  if (OPEN.has(state)) return { kind: 'open', heading: 'Ready', text: 'It opens now.', bar: 'none', againSeconds: null };
  if (state === 'starting') return starting(outlook);
  if (reason === 'capacity' && isComing)
    return coming('Waiting for a free place', `${FULL} It starts as soon as one of them goes to sleep.`);
  const againSeconds = isComing ? (startsIn === null ? null : Math.ceil(startsIn / 1000)) : retryAfterSeconds;
  if (reason !== null && againSeconds !== null) return halted(WHY[reason], againSeconds);
  if (state === 'draining' && isComing) return coming('Restarting', 'It was not well, and is started anew.');
  if (state === 'stopping' && isComing) return coming('Waking up', 'It is still stopping, and starts again right after that.');
  if (isComing) return coming('Waking up', 'It fell asleep a moment ago, and starts again in a moment.');
  if (state === 'stopping' || state === 'draining')
    return halted({ heading: 'Going to sleep', text: 'It is just being put to sleep.' }, retryAfterSeconds);
  return { kind: 'idle', heading: 'Asleep', text: 'It is asleep. This page wakes it.', bar: 'none', againSeconds };
}

/** When a start that is under way becomes a slow one; null when it is one, or none is under way. */
export function slowIn({ elapsed, typical }: Outlook): Millis | null {
  if (elapsed === null) return null;
  const left = (typical === null ? UNKNOWN_SLOW_MS : Math.max(typical * SLOW_FACTOR, typical + SLOW_MARGIN_MS)) - elapsed;
  return left > 0 ? (left as Millis) : null;
}

function starting(outlook: Outlook): Scene {
  const { typical } = outlook;
  const bar = typical === null ? 'unknown' : 'measured';
  if (slowIn(outlook) !== null) {
    const length = typical === null ? 'How long a start takes is not known yet.' : `A start usually takes ${about(typical)}.`;
    return { ...coming('Starting', `It was asleep. ${length}`), bar };
  }
  const text = 'It is still starting.';
  return typical === null
    ? { ...coming('Taking a while', text), bar }
    : { ...coming('Taking longer than usual', `${text} A start usually takes ${about(typical)}.`), bar };
}

type Words = Pick<Scene, 'heading' | 'text'>;

const coming = (heading: string, text: string): Scene => ({ kind: 'coming', heading, text, bar: 'unknown', againSeconds: null });
const halted = (words: Words, againSeconds: number): Scene => ({ kind: 'halted', ...words, bar: 'none', againSeconds });

const failed = (text: string): Words => ({ heading: 'Did not start', text });
const FULL = 'As many are awake as there is room for.';

/** Nothing in here repeats a `detail`, and nothing tells how the agent is run. */
const WHY: Readonly<Record<WaitReason, Words>> = {
  'startup-timeout': failed('It was started, but was not ready in time.'),
  exited: failed('It was started, but ended by itself.'),
  'start-failed': failed('It could not be started.'),
  'thaw-failed': failed('It was frozen, and could not be thawed.'),
  'stop-failed': failed('It could not be stopped, and is not started anew before it is.'),
  'health-failed': { heading: 'Not well', text: 'It runs, but does not answer as it should.' },
  'engine-unavailable': { heading: 'Out of reach', text: 'What runs it cannot be reached at the moment.' },
  'kept-asleep': { heading: 'Kept asleep', text: 'Whoever runs it keeps it asleep for now.' },
  capacity: { heading: 'No free place', text: `${FULL} None of them can give way yet.` },
  'wake-limit': { heading: 'Too many at once', text: 'Too much was woken from your address in a short time.' },
  'wake-limit-total': { heading: 'Too many at once', text: 'Too much was woken in a short time.' },
  'hold-queue-full': { heading: 'Many are waiting', text: 'More wait for it already than can be let in at once.' },
};

/** A length of time as people say it. */
export function about(time: Millis): string {
  const seconds = Math.max(1, Math.round(time / 1000));
  if (seconds < 90) return seconds === 1 ? 'about a second' : `about ${seconds} seconds`;
  return `about ${Math.round(seconds / 60)} minutes`;
}
