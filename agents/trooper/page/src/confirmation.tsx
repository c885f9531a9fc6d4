import { type ReactNode, useEffect, useId, useRef } from 'react';

/** Asks before something that cannot be taken back. A dialog of the browser: it keeps the focus, Escape leaves it. */
export function Confirmation(props: {
  readonly question: string;
  readonly consequence: string;
  readonly confirm: string;
  readonly onConfirm: () => void;
  readonly onCancel: () => void;
}): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const questionId = useId();
  const consequenceId = useId();
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    // Closed before it goes, or the focus does not find its way back.
    return () => element?.close();
  }, []);
  const leave = (then: () => void) => (): void => {
    dialog.current?.close();
    then();
  };
  return (
    <dialog
      ref={dialog}
      className="confirmation"
      aria-labelledby={questionId}
      aria-describedby={consequenceId}
      onCancel={(event) => {
        event.preventDefault();
        leave(props.onCancel)();
      }}
    >
      <h2 id={questionId}>{props.question}</h2>
      <p id={consequenceId}>{props.consequence}</p>
      <div className="choices">
        <button type="button" className="button" data-kind="plain" onClick={leave(props.onCancel)}>
          Keep it
        </button>
        <button type="button" className="button" data-kind="danger" onClick={leave(props.onConfirm)}>
          {props.confirm}
        </button>
      </div>
    </dialog>
  );
}
