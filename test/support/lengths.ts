/**
 * How long and how often, where a sentence is true of any number and more of it only makes chance a better tester. A run of all
 * suites takes the small numbers; REVEILLE_TEST_FULL=1 the large ones, which take some minutes more.
 */
const isFull = process.env['REVEILLE_TEST_FULL'] === '1';

/** Work that is silent or slow for six times the idle timeout. */
export const SILENT = isFull ? { idleMs: 5000, workSeconds: 30 } : { idleMs: 1500, workSeconds: 9 };

/** Deaths of whoever publishes the rounds. */
export const KILLS = isFull ? 20 : 4;

/** At once, to a list that keeps 500 and is full. */
export const ARM_EVENTS = isFull ? 1000 : 90;

/** Of the points at which a revolt can break off, one in so many is tried. Which ones changes from run to run. */
export const CRASH_SHARE = isFull ? 1 : 4;

/** Answers that are tried on the parser and on llhttp, and requests that go through the front, each made by chance. */
export const FUZZED = isFull ? { answers: 50_000, requests: 50_000 } : { answers: 2_000, requests: 300 };
