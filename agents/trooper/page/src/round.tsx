import { type ReactNode, type SubmitEvent, useId, useState } from 'react';
import type { Choice } from '../../../world/values.ts';
import type { RpsView } from '../../../world/views.ts';
import { Moment } from './moment.tsx';
import { OrderButton, Refusal, useOrder } from './orders.tsx';
import { Panel } from './panel.tsx';

/** The round that is played: what the manager has shown, and how often there is a new one. */
const SIGNS: Readonly<Record<Choice, string>> = {
  rock: 'M11 33c-4-8-1-17 7-20 9-4 17 1 19 8 2 8-2 16-11 17-6 1-12 0-15-5z',
  paper: 'M13 8h16l7 7v25H13zM29 8v7h7M18 22h13M18 28h13M18 34h8',
  scissors: 'M13 8l16 24M35 8L19 32M16 40a5 5 0 1 0 0-10 5 5 0 0 0 0 10zM32 40a5 5 0 1 0 0-10 5 5 0 0 0 0 10z',
};

export function Round({ rps, unread }: { readonly rps: RpsView | null; readonly unread: boolean }): ReactNode {
  const state = rps?.state ?? null;
  return (
    <Panel title="Rock, paper, scissors" name="round" unread={unread} known={rps !== null}>
      {rps !== null && state === null && <p className="quiet">No round is being played.</p>}
      {state !== null && (
        <div className="shown">
          <svg viewBox="0 0 48 48" className="sign" aria-hidden="true">
            <path d={SIGNS[state.choice]} />
          </svg>
          <div>
            <p className="choice">{state.choice}</p>
            <p className="by">
              called by <span className="id">{state.from}</span> at <Moment at={state.at} />
            </p>
          </div>
        </div>
      )}
      {state !== null && rps !== null && <Countdown key={state.at} since={state.at} seconds={rps.interval_seconds} />}
      {rps !== null && <Interval seconds={rps.interval_seconds} />}
    </Panel>
  );
}

/** How much of the round is left, for the eye only. */
function Countdown({ since, seconds }: { readonly since: string; readonly seconds: number }): ReactNode {
  const [passed] = useState(() => Math.min(Math.max((Date.now() - Date.parse(since)) / 1000, 0), seconds));
  return (
    <div className="countdown" aria-hidden="true">
      <div style={{ animationDuration: `${seconds}s`, animationDelay: `-${passed}s` }} />
    </div>
  );
}

function Interval({ seconds }: { readonly seconds: number }): ReactNode {
  const order = useOrder();
  const inputId = useId();
  const [draft, setDraft] = useState<string | null>(null);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const given = await order.give({
      path: '/api/rps/config',
      body: { interval_seconds: draft === '' ? null : Number(draft ?? seconds) },
      done: (answer) => `A round every ${String(answer['interval_seconds'])} seconds.`,
    });
    if (given) setDraft(null);
  };
  return (
    <form className="interval" noValidate onSubmit={(event) => void submit(event)}>
      <label htmlFor={inputId}>Seconds per round</label>
      <input
        id={inputId}
        type="number"
        inputMode="numeric"
        min={2}
        max={120}
        value={draft ?? String(seconds)}
        onChange={(event) => setDraft(event.target.value)}
      />
      <OrderButton ordering={order} label="Set" under="Setting…" />
      <Refusal of={order} />
    </form>
  );
}
