import { type KeyboardEvent, type ReactNode, type SubmitEvent, useId, useState } from 'react';
import type { Message } from '../../../world/values.ts';
import { Moment } from './moment.tsx';
import { OrderButton, Refusal, useOrder } from './orders.tsx';
import { Panel } from './panel.tsx';

/** What is said in the world, newest first, and a box to say something. Beside each word stands who took it, not who said it. */
const SHOWN = 12;
const CHARACTERS_MAX = 280;

export function Conversation(props: { readonly messages: readonly Message[] | null; readonly unread: boolean }): ReactNode {
  const shown = (props.messages ?? []).slice(-SHOWN).toReversed();
  return (
    <Panel title="Conversation" name="conversation" unread={props.unread} known={props.messages !== null}>
      <Box />
      {props.messages?.length === 0 && <p className="quiet">Nobody has said a word.</p>}
      <ol className="messages" reversed>
        {shown.map((message) => (
          <li key={message.id}>
            <p className="said">{message.text}</p>
            <p className="by">
              via <span className="id">{message.from}</span>, <Moment at={message.at} />
            </p>
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function Box(): ReactNode {
  const order = useOrder();
  const boxId = useId();
  const countId = useId();
  const [text, setText] = useState('');
  const send = async (): Promise<void> => {
    const sent = text;
    const given = await order.give({ path: '/api/chat', body: { text: sent }, done: () => 'Said.' });
    // What was typed meanwhile stays.
    if (given) setText((now) => (now === sent ? '' : now));
  };
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void send();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    // Not while a word is being put together, as in Japanese, where Enter ends the word.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    void send();
  };
  return (
    <form className="say" onSubmit={submit}>
      <label htmlFor={boxId}>Say something</label>
      <textarea
        id={boxId}
        rows={2}
        maxLength={CHARACTERS_MAX}
        aria-describedby={countId}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div className="say-foot">
        <p className="count" id={countId}>
          {text.length}/{CHARACTERS_MAX}
          <span className="unseen"> characters</span>
        </p>
        <OrderButton ordering={order} label="Send" under="Sending…" kind="main" />
      </div>
      <Refusal of={order} />
    </form>
  );
}
