import { useEffect, useReducer } from 'react';
import type { LiveView } from '../../../world/views.ts';
import { type Contact, keepWatching } from './connection.ts';
import { type Picture, withEvent } from './picture.ts';

/** The world as last seen, and whether that is now. */
export interface Live {
  readonly contact: Contact;
  /** Null until the first word. */
  readonly picture: Picture | null;
}

type Step = { readonly contact: Contact } | { readonly event: Partial<LiveView> };

const step = (live: Live, next: Step): Live =>
  'event' in next ? { ...live, picture: withEvent(live.picture, next.event) } : { ...live, contact: next.contact };

export function useLive(): Live {
  const [live, dispatch] = useReducer(step, { contact: 'calling', picture: null });
  useEffect(() => {
    const leaving = new AbortController();
    const watcher = {
      contact: (contact: Contact) => dispatch({ contact }),
      world: (event: Partial<LiveView>) => dispatch({ event }),
    };
    void keepWatching(watcher, leaving.signal);
    return () => leaving.abort();
  }, []);
  return live;
}
