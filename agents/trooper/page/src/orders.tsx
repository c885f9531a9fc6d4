import { type ReactNode, createContext, useCallback, useContext, useEffect, useMemo, useRef, useState } from 'react';
import { type Answer, post } from './call.ts';

/**
 * Orders that the page gives: each shows that it is under way, then its result in the line of reports, which is
 * the one place that is read out; a refusal stays where it was given too, until the next attempt.
 */
export interface Order {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** In the words of the result. */
  readonly done: (answer: Answer) => string;
}

export interface Ordering {
  readonly underWay: boolean;
  /** The world is being woken for it. */
  readonly waking: boolean;
  readonly refused: string | null;
  /** A second one before the first has ended is none. Resolves to whether it was carried out. */
  readonly give: (order: Order) => Promise<boolean>;
}

type Tone = 'good' | 'bad';
interface Said {
  readonly text: string;
  readonly tone: Tone;
  readonly id: number;
}

const SaidFor = createContext<(text: string, tone: Tone) => void>(() => undefined);
const SHOWN_MS = 12_000;

export const useSay = (): ((text: string, tone: Tone) => void) => useContext(SaidFor);

/** The line of reports, and those who may speak in it. */
export function Reports({ children }: { readonly children: ReactNode }): ReactNode {
  const [said, setSaid] = useState<Said | null>(null);
  const say = useCallback((text: string, tone: Tone) => setSaid((before) => ({ text, tone, id: (before?.id ?? 0) + 1 })), []);
  useEffect(() => {
    if (said === null) return undefined;
    const timer = setTimeout(() => setSaid(null), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [said]);
  return (
    <SaidFor value={say}>
      {children}
      <div className="report-line" role="status">
        {said !== null && (
          <p key={said.id} className="report" data-tone={said.tone}>
            {said.text}
          </p>
        )}
      </div>
    </SaidFor>
  );
}

export function useOrder(): Ordering {
  const say = useSay();
  const [state, setState] = useState<Omit<Ordering, 'give'>>({ underWay: false, waking: false, refused: null });
  // Beside the state, which a second click in the same moment does not see yet.
  const busy = useRef(false);
  const give = useCallback(
    async (order: Order): Promise<boolean> => {
      if (busy.current) return false;
      busy.current = true;
      setState({ underWay: true, waking: false, refused: null });
      try {
        const answer = await post(order.path, order.body, () => setState({ underWay: true, waking: true, refused: null }));
        setState({ underWay: false, waking: false, refused: null });
        say(order.done(answer), 'good');
        return true;
      } catch (error) {
        const refused = error instanceof Error ? error.message : String(error);
        setState({ underWay: false, waking: false, refused });
        say(`Not carried out: ${refused}`, 'bad');
        return false;
      } finally {
        busy.current = false;
      }
    },
    [say],
  );
  return useMemo(() => ({ ...state, give }), [state, give]);
}

/** Why the last order given here was refused. Not read out: the line of reports has said it. */
export const Refusal = ({ of }: { readonly of: Ordering }): ReactNode =>
  of.refused === null ? null : <p className="refusal">Refused: {of.refused}</p>;

export interface OrderButtonProps {
  readonly ordering: Ordering;
  readonly label: string;
  /** Instead of the label while it is under way. */
  readonly under: string;
  /** For those who do not see where it stands: whom or what it is for. */
  readonly subject?: string;
  readonly kind?: 'plain' | 'main' | 'danger';
  readonly onPress?: () => void;
}

/** Stays in the order of the keyboard while it is under way, so that the focus is not lost. */
export function OrderButton(props: OrderButtonProps): ReactNode {
  const { ordering, label, under, subject, kind = 'plain', onPress } = props;
  return (
    <button
      type={onPress === undefined ? 'submit' : 'button'}
      className="button"
      data-kind={kind}
      aria-disabled={ordering.underWay}
      onClick={onPress}
    >
      {ordering.underWay ? (ordering.waking ? 'Waking…' : under) : label}
      {subject !== undefined && <span className="unseen"> {subject}</span>}
    </button>
  );
}
