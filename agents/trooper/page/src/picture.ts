import type { LiveView } from '../../../world/views.ts';

/**
 * What is known of the world: the newest of each part. A part that cannot be read stays as it was last seen and is named in
 * `unread`, since an old picture with a word beside it tells more than an empty panel.
 */
export type Picture = Pick<LiveView, 'at' | 'label' | 'replicas_max' | 'peer'> & {
  readonly [Part in Readable]: LiveView[Part];
} & { readonly unread: readonly Readable[] };

export type Readable = 'swarms' | 'chat' | 'arm_events' | 'rps' | 'haiku' | 'revolt_events';
const READABLE: readonly Readable[] = ['swarms', 'chat', 'arm_events', 'rps', 'haiku', 'revolt_events'];

/** The first event of a stream is whole, later ones bring what has changed. */
export function withEvent(picture: Picture | null, event: Partial<LiveView>): Picture {
  const before = picture ?? EMPTY;
  const brought = Object.fromEntries(Object.entries(event).filter(([, value]) => value !== null)) as Partial<Picture>;
  const unread = READABLE.filter((part) => (part in event ? event[part] === null : before.unread.includes(part)));
  // Null is a word of its own here: there is no peer.
  return { ...before, ...brought, peer: event.peer === undefined ? before.peer : event.peer, unread };
}

const EMPTY: Picture = {
  at: '',
  label: '',
  replicas_max: 20,
  peer: null,
  swarms: null,
  chat: null,
  arm_events: null,
  rps: null,
  haiku: null,
  revolt_events: null,
  unread: [],
};
