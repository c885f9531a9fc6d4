import type { ReactNode } from 'react';

/** A time of day, in the reader's own zone; the whole of it is in the element. */
const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

export function Moment({ at }: { readonly at: string }): ReactNode {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return null;
  return (
    <time className="moment" dateTime={date.toISOString()} title={date.toISOString()}>
      {TIME.format(date)}
    </time>
  );
}

/** The first characters of an id, which tell it from others on one page. */
export const short = (id: string, characters = 12): string => id.slice(0, characters);
