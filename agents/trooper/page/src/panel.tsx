import { type ReactNode, useId } from 'react';

/** A panel with a heading of its own; `unread` where what it shows could not be read just now, or, without `known`, never. */
export function Panel(props: {
  readonly title: string;
  readonly name: string;
  readonly unread: boolean;
  readonly known: boolean;
  readonly aside?: ReactNode;
  readonly children: ReactNode;
}): ReactNode {
  const headingId = useId();
  return (
    <section className="panel" id={props.name} aria-labelledby={headingId}>
      <header className="panel-head">
        <h2 id={headingId}>{props.title}</h2>
        {props.aside}
      </header>
      {props.unread && <p className="unread">{props.known && 'Last known. '}It cannot be read just now.</p>}
      {props.children}
    </section>
  );
}
