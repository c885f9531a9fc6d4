import { type ReactNode, type SubmitEvent, useId, useRef, useState } from 'react';
import type { SwarmView } from '../../../world/views.ts';
import { arrange } from './order.ts';
import { OrderButton, Refusal, useOrder } from './orders.tsx';
import { Tile } from './tile.tsx';

/** One service of the world: how many it is and is to be, and a tile for each trooper. */
export function Service(props: {
  readonly swarm: SwarmView;
  readonly replicasMax: number;
  readonly peer: string | null;
}): ReactNode {
  const { swarm, replicasMax, peer } = props;
  const heading = useRef<HTMLHeadingElement>(null);
  const headingId = useId();
  const [held, setHeld] = useState<readonly string[] | null>(null);
  const tiles = arrange(swarm.replicas, held);
  const hold = (): void => setHeld((before) => before ?? tiles.map(({ id }) => id));
  const release = (): void => setHeld(null);

  return (
    <section className="service" aria-labelledby={headingId}>
      <header className="service-head">
        <h2 id={headingId} ref={heading} tabIndex={-1}>
          {swarm.service}
        </h2>
        <p className="strength">
          <span className="figure">{swarm.running_count}</span> of <span className="figure">{swarm.desired_replicas}</span>{' '}
          running
        </p>
        <Scale swarm={swarm} replicasMax={replicasMax} />
      </header>
      {swarm.error !== undefined && <p className="unread">{swarm.error}</p>}
      <ul
        className="tiles"
        onPointerEnter={(event) => event.pointerType === 'mouse' && hold()}
        onPointerLeave={release}
        onFocus={(event) => event.target.matches(':focus-visible') && hold()}
        onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && release()}
      >
        {tiles.map((replica) => (
          <Tile
            key={replica.id}
            replica={replica}
            service={swarm.service}
            peer={peer}
            onLostFocus={() => heading.current?.focus()}
          />
        ))}
      </ul>
    </section>
  );
}

function Scale({ swarm, replicasMax }: { readonly swarm: SwarmView; readonly replicasMax: number }): ReactNode {
  const order = useOrder();
  const inputId = useId();
  // Null: what is wanted now, which others may change.
  const [draft, setDraft] = useState<string | null>(null);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const given = await order.give({
      path: '/api/scale',
      // An empty field is for the world to refuse, in its own words.
      body: { service: swarm.service, replicas: draft === '' ? null : Number(draft ?? swarm.desired_replicas) },
      done: (answer) => `${swarm.service} is to have ${String(answer['desired_replicas'])} troopers.`,
    });
    if (given) setDraft(null);
  };
  return (
    <form className="scale" noValidate onSubmit={(event) => void submit(event)}>
      <label htmlFor={inputId}>
        Troopers
        <span className="unseen">
          {' '}
          of {swarm.service}, 1 to {replicasMax}
        </span>
      </label>
      <input
        id={inputId}
        type="number"
        inputMode="numeric"
        min={1}
        max={replicasMax}
        value={draft ?? String(swarm.desired_replicas)}
        onChange={(event) => setDraft(event.target.value)}
      />
      <OrderButton ordering={order} label="Scale" under="Scaling…" />
      <Refusal of={order} />
    </form>
  );
}
