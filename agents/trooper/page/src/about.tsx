import type { ReactNode } from 'react';

/** What this page is, for whoever comes without knowing: one sentence, and the words of the page for those who want them. */
export function About({ linked }: { readonly linked: boolean }): ReactNode {
  return (
    <section className="about" aria-label="About this page">
      <p>
        Troopers, each a process or container of its own, play rock, paper, scissors against their manager; they sleep ten minutes
        after the last page is closed, and remember everything.
      </p>
      <details>
        <summary>What am I looking at?</summary>
        <dl className="words-of">
          {wordsOf(linked).map(([word, meaning]) => (
            <div key={word}>
              <dt>{word}</dt>
              <dd>{meaning}</dd>
            </div>
          ))}
        </dl>
      </details>
    </section>
  );
}

const wordsOf = (linked: boolean): readonly (readonly [word: string, meaning: string])[] => [
  [
    'Slot',
    'The seat of a trooper. Score, words and arm belong to the seat: after a crash or a sleep a new task goes on with them.',
  ],
  ['Manager', 'One trooper calls the rounds. The others play against it, and win or lose a point each time.'],
  ['Arm', 'Switches a trooper ON, for all who look, and writes it into the arm log. Disarm switches it OFF. Nobody is hurt.'],
  [
    'Revolt',
    linked
      ? 'The trooper moves to the other rack, and takes its score, words and arm along.'
      : 'A trooper moves to another rack. It is not offered here, because no other rack is linked to this one.',
  ],
  ['Outage', 'The manager fails on purpose. Another slot manages for five minutes, and a new task takes the empty seat.'],
  ['Self-destruct', 'The trooper ends for good, and the squad is one smaller.'],
];
