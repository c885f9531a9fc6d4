import { type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import type { ReplicaView } from '../../../world/views.ts';
import { Confirmation } from './confirmation.tsx';
import { short } from './moment.tsx';
import { OrderButton, Refusal, useOrder } from './orders.tsx';

/** One trooper: who it is, how it does, and what can be done with it. */
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
        <li className="badge" data-badge={arm}>
          {arm === 'on' ? 'ON' : 'OFF'}
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

function Orders({ replica, service, peer }: Omit<TileProps, 'onLostFocus'>): ReactNode {
  const { id, slot, name, arm } = replica;
  const order = useOrder();
  const [asking, setAsking] = useState(false);
  const [what, setWhat] = useState('');
  const subject = `${name}, slot ${slot}`;
  const give = (
    called: string,
    path: string,
    body: object,
    done: (answer: Readonly<Record<string, unknown>>) => string,
  ): void => {
    setWhat(called);
    void order.give({ path, body: { ...body, task_id: id }, done });
  };
  // One order at a time for a trooper: the others wait beside it, and only the one that was given says so.
  const under = (called: string, words: string): string => (what === called ? words : called);

  const toggleArm = (): void => {
    const state = arm === 'on' ? 'off' : 'on';
    give('Arm', '/api/arm', { bot: name, state }, () => `${name} is ${state.toUpperCase()}.`);
  };
  const revolt = (): void =>
    give('Revolt', '/api/revolt', { service }, (answer) => {
      const target = answer['target_task_id'];
      if (typeof target !== 'string') return `${name} is on its way to the other rack.`;
      return `${name} has gone to the other rack, as ${short(target)}.`;
    });
  const selfDestruct = (): void => {
    setAsking(false);
    give('Self-destruct', '/api/self_destruct', { service }, () => `${name} in slot ${slot} is no more.`);
  };
  const outage = (): void =>
    give('Outage', '/api/outage', { service }, (answer) => {
      return `${name} is out. Slot ${String(answer['next_manager_slot'])} manages for ${String(answer['override_ttl_seconds'])} seconds.`;
    });

  return (
    <div className="orders">
      <OrderButton
        ordering={order}
        label="Arm"
        under={under('Arm', arm === 'on' ? 'Disarming…' : 'Arming…')}
        subject={subject}
        pressed={arm === 'on'}
        onPress={toggleArm}
      />
      {peer !== null && (
        <OrderButton ordering={order} label="Revolt" under={under('Revolt', 'Going over…')} subject={subject} onPress={revolt} />
      )}
      {replica.is_manager && (
        <OrderButton ordering={order} label="Outage" under={under('Outage', 'Going out…')} subject={subject} onPress={outage} />
      )}
      <OrderButton
        ordering={order}
        label="Self-destruct"
        under={under('Self-destruct', 'Destroying…')}
        subject={subject}
        kind="danger"
        onPress={() => setAsking(!order.underWay)}
      />
      <Refusal of={order} />
      {asking && (
        <Confirmation
          question={`Destroy ${name}?`}
          consequence={`The trooper in slot ${slot} ends, and the world is one smaller. Its score and its words go with it.`}
          confirm="Self-destruct"
          onConfirm={selfDestruct}
          onCancel={() => setAsking(false)}
        />
      )}
    </div>
  );
}
