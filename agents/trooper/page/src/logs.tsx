import type { ReactNode } from 'react';
import type { ArmEvent, RevoltEvent } from '../../../world/values.ts';
import { ArmBadge } from './arm-badge.tsx';
import { Moment, short } from './moment.tsx';
import { Panel } from './panel.tsx';

/** What has happened, newest first: who went from rack to rack, and who was armed. */
const SHOWN = 12;

export function RevoltActivity(props: { readonly events: readonly RevoltEvent[] | null; readonly unread: boolean }): ReactNode {
  const shown = (props.events ?? []).slice(-SHOWN).toReversed();
  return (
    <Panel title="Revolt activity" name="revolts" unread={props.unread} known={props.events !== null}>
      {props.events?.length === 0 && <p className="quiet">Everybody has stayed where they were.</p>}
      <ol className="log" reversed>
        {shown.map((event) => (
          <li key={event.id}>
            <Moment at={event.at} />
            <p>
              <span className="id">{short(event.source_task_id, 8)}</span> of {event.source_rack} went to {event.target_rack} as{' '}
              <span className="id">{short(event.target_task_id, 8)}</span>
            </p>
          </li>
        ))}
      </ol>
    </Panel>
  );
}

export function ArmLog(props: { readonly events: readonly ArmEvent[] | null; readonly unread: boolean }): ReactNode {
  const shown = (props.events ?? []).slice(-SHOWN).toReversed();
  return (
    <Panel title="Arm log" name="arms" unread={props.unread} known={props.events !== null}>
      {props.events?.length === 0 && <p className="quiet">Nobody has been armed.</p>}
      <ol className="log" reversed>
        {shown.map((event) => (
          <li key={event.id}>
            <Moment at={event.at} />
            <p>
              {event.bot} <span className="id">{short(event.task_id, 8)}</span> <ArmBadge arm={event.state} />
            </p>
          </li>
        ))}
      </ol>
    </Panel>
  );
}
