import { type ReactNode, useEffect, useRef } from 'react';
import { About } from './about.tsx';
import { Conversation } from './conversation.tsx';
import type { Contact } from './connection.ts';
import { Haiku } from './haiku.tsx';
import { ArmLog, RevoltActivity } from './logs.tsx';
import { Masthead } from './masthead.tsx';
import { useSay } from './orders.tsx';
import { Round } from './round.tsx';
import { Service } from './service.tsx';
import { useLive } from './use-live.ts';

/** The whole page: troopers first, and beside them what they play, say and write. */
export function World(): ReactNode {
  const { contact, picture } = useLive();
  useSpokenContact(contact);
  const label = picture?.label ?? '';
  useEffect(() => {
    document.title = label === '' ? "Bob's World" : `Bob's World, ${label}`;
  }, [label]);

  return (
    <>
      <Masthead contact={contact} label={label} seenAt={picture?.at ?? null} />
      <About linked={typeof picture?.peer === 'string'} />
      {picture === null ? (
        <main className="empty">
          <p>{contact === 'waking' ? 'The world is waking. It takes a moment.' : 'Listening for the first word…'}</p>
        </main>
      ) : (
        <main className="field" data-stale={contact !== 'live'}>
          <div className="services">
            {(picture.swarms ?? []).map((swarm) => (
              <Service key={swarm.service} swarm={swarm} replicasMax={picture.replicas_max} peer={picture.peer} />
            ))}
            {picture.swarms === null && <p className="unread">Nobody can say who is there: the daemon does not answer.</p>}
            {picture.swarms !== null && picture.unread.includes('swarms') && (
              <p className="unread">Last known. Nobody can say just now who is there.</p>
            )}
          </div>
          <div className="side">
            <Round rps={picture.rps} unread={picture.unread.includes('rps')} />
            <Haiku haiku={picture.haiku} unread={picture.unread.includes('haiku')} />
            <Conversation messages={picture.chat} unread={picture.unread.includes('chat')} />
          </div>
          <div className="logs">
            <RevoltActivity events={picture.revolt_events} unread={picture.unread.includes('revolt_events')} />
            <ArmLog events={picture.arm_events} unread={picture.unread.includes('arm_events')} />
          </div>
        </main>
      )}
    </>
  );
}

/** Losing the world, and having it back, is said once each; not every attempt in between. */
function useSpokenContact(contact: Contact): void {
  const say = useSay();
  const away = useRef(false);
  useEffect(() => {
    if (contact === 'lost' && !away.current) {
      away.current = true;
      say('The world is out of reach. What you see is the last picture of it.', 'bad');
    } else if (contact === 'live' && away.current) {
      away.current = false;
      say('The world is back.', 'good');
    }
  }, [contact, say]);
}
