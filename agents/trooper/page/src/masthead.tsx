import type { ReactNode } from 'react';
import type { Contact } from './connection.ts';
import { Moment } from './moment.tsx';

/** Which world this is, and whether what is seen is now. */
const CONTACTS: Readonly<Record<Contact, { readonly word: string; readonly tone: string }>> = {
  calling: { word: 'Calling', tone: 'waiting' },
  live: { word: 'Live', tone: 'live' },
  asleep: { word: 'Asleep', tone: 'asleep' },
  waking: { word: 'Waking', tone: 'waiting' },
  lost: { word: 'Reconnecting', tone: 'lost' },
};

export function Masthead(props: {
  readonly contact: Contact;
  readonly label: string;
  readonly seenAt: string | null;
}): ReactNode {
  const { word, tone } = CONTACTS[props.contact];
  return (
    <header className="masthead">
      <svg className="crest" viewBox="0 0 40 40" aria-hidden="true">
        <path d="M6 17 20 7l14 10M6 26 20 16l14 10M6 35 20 25l14 10" />
      </svg>
      <h1>Bob&rsquo;s World</h1>
      {props.label !== '' && (
        <p className="rack">
          <span className="unseen">Rack: </span>
          {props.label}
        </p>
      )}
      <p className="contact" data-tone={tone}>
        <span className="lamp" aria-hidden="true" />
        <span>{word}</span>
        {props.contact !== 'live' && props.seenAt !== null && (
          <span className="seen">
            last seen <Moment at={props.seenAt} />
          </span>
        )}
      </p>
      <nav className="ways" aria-label="On this page">
        <a href="#round">Round</a>
        <a href="#haiku">Haiku</a>
        <a href="#conversation">Conversation</a>
        <a href="#revolts">Revolts</a>
        <a href="#arms">Arm log</a>
      </nav>
    </header>
  );
}
