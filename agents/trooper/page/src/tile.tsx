import { type ReactNode, useLayoutEffect, useRef } from 'react';
import type { ReplicaView } from '../../../world/views.ts';
import { ArmBadge } from './arm-badge.tsx';
import { short } from './moment.tsx';
import { Orders } from './tile-orders.tsx';

/** One trooper: who it is, how it does, and the orders that it can be given. */
interface TileProps {
  readonly replica: ReplicaView;
  readonly service: string;
  readonly peer: string | null;
  /** The trooper went while the focus was on its tile. */
  readonly onLostFocus: () => void;
}

export function Tile({ replica, service, peer, onLostFocus }: TileProps): ReactNode {
  const { id, slot, name, is_manager: manages, arm } = replica;
  const tile = useRef<HTMLLIElement>(null);
  const leaving = useRef(onLostFocus);
  leaving.current = onLostFocus;
  useLayoutEffect(() => {
    const element = tile.current;
    return () => {
      // Before the element goes, while it can still be told that the focus goes with it.
      if (element?.contains(document.activeElement) === true) leaving.current();
    };
  }, []);

  return (
    <li
      ref={tile}
      className="tile"
      data-manages={manages}
      data-state={replica.state}
      style={/^#[0-9a-f]{6}$/.test(replica.color) ? ({ '--own': replica.color } as React.CSSProperties) : undefined}
    >
      <div className="tile-head">
        <h3>{name}</h3>
        <Score replica={replica} />
      </div>
      <p className="words">{replica.three_words === '' ? 'no words yet' : replica.three_words}</p>
      <ul className="badges" aria-label="Badges">
        <li>
          <ArmBadge arm={arm} />
        </li>
        {manages && (
          <li className="badge" data-badge="manager">
            MANAGER
          </li>
        )}
        {replica.from !== null && (
          <li className="badge" data-badge="from" title={replica.from.rack}>
            FROM {short(replica.from.task_id, 8)}
          </li>
        )}
        {replica.state !== 'running' && <li className="badge">{replica.state}</li>}
      </ul>
      <dl className="facts">
        <div>
          <dt>Slot</dt>
          <dd>{slot}</dd>
        </div>
        <div>
          <dt>Task</dt>
          <dd title={id}>{short(id)}</dd>
        </div>
        <div>
          <dt>Node</dt>
          <dd title={replica.node_id}>{short(replica.node_id)}</dd>
        </div>
      </dl>
      <Orders replica={replica} service={service} peer={peer} />
    </li>
  );
}

/** Who manages publishes the rounds and does not play, so its score says nothing. */
function Score({ replica }: { readonly replica: ReplicaView }): ReactNode {
  if (replica.is_manager)
    return (
      <p className="score" data-sign="none">
        calls the rounds
      </p>
    );
  const sign = Math.sign(replica.score);
  return (
    <p className="score" data-sign={sign}>
      <span className="unseen">Score </span>
      {sign > 0 ? '+' : sign < 0 ? '\u2212' : ''}
      {Math.abs(replica.score)}
    </p>
  );
}
