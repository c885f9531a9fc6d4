/**
 * What the soak does to agents, and for how long that may be felt. A request that fails while nothing was done that could
 * have made it fail is what the soak looks for.
 */
export type Trouble = 'agent killed' | 'agent told to sleep' | 'agent forced to sleep' | 'agent removed by reload';
/** What is done to agents without any request being allowed to fail for it. */
export type Harmless = 'stalls' | 'reloads';

interface Time {
  readonly trouble: Trouble;
  readonly agent: string;
  readonly from: number;
  /** Infinity while it lasts. */
  to: number;
}

/** What is over for this long explains nothing any more: no request of the soak takes longer. */
const KEPT_MS = 120_000;
/** Clocks are read a moment before and after what they are read for. */
const MARGIN_MS = 150;
/** What breaking off looks like to a client; wrong bytes, silence and other answers have no excuse. */
export const CUT = /^(?:502|cut|no answer)/;
const EXCUSED: Readonly<Record<Trouble, RegExp>> = {
  // A start that it dies in has failed, and those who waited for it are told so.
  'agent killed': /^(?:502|cut|no answer|503: (?:\{"status".*)?$)/,
  // What is open goes on; who comes while it drains is told that it is on its way to sleep. HEAD has no body to say so.
  'agent told to sleep': /^503: (?:\{"status":"(?:draining|stopping)".*)?$/,
  'agent forced to sleep': /^(?:502|cut|no answer|503: (?:\{"status":"stopping".*)?$)/,
  'agent removed by reload': /^(?:502|cut|no answer|404)/,
};

export class Causes {
  readonly counts: Partial<Record<Trouble | Harmless, number>> = {};
  private times: Time[] = [];

  /** From now on, until what is returned is called. */
  begin(trouble: Trouble, agent: string): () => void {
    const now = performance.now();
    const time: Time = { trouble, agent, from: now, to: Number.POSITIVE_INFINITY };
    this.note(trouble);
    this.times = this.times.filter(({ to }) => to > now - KEPT_MS);
    this.times.push(time);
    return () => (time.to = performance.now());
  }

  note(what: Trouble | Harmless): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  /** What explains that a request to `agent`, open from `began` until now, has failed in the way of `what`; null: nothing does. */
  of(agent: string, began: number, what: string): Trouble | null {
    const now = performance.now();
    for (const { trouble, agent: hit, from, to } of this.times) {
      if (hit !== agent || began > to + MARGIN_MS || now < from - MARGIN_MS) continue;
      if (EXCUSED[trouble].test(what)) return trouble;
    }
    return null;
  }
}
