import type { ReactNode } from 'react';
import type { HaikuView } from '../../../world/views.ts';
import type { TextSource } from '../../../world/values.ts';
import { Moment } from './moment.tsx';
import { Panel } from './panel.tsx';

/** The poem of the hour, and where it is from: a model, or the stock of poems that is there when no model answers. */
const WRITERS: Readonly<Record<TextSource, string>> = {
  picoclaw: 'by PicoClaw',
  ollama: 'by Ollama',
  fallback: 'from stock',
  'fallback-api': 'from stock, on request',
};

export function Haiku({ haiku, unread }: { readonly haiku: HaikuView | null; readonly unread: boolean }): ReactNode {
  const poem = haiku?.haiku ?? null;
  return (
    <Panel title="Haiku" name="haiku" unread={unread} known={haiku !== null}>
      {haiku !== null && poem === null && <p className="quiet">Nobody has written one yet.</p>}
      {poem !== null && (
        <figure className="poem">
          <blockquote>{poem.text}</blockquote>
          <figcaption>
            {WRITERS[poem.source]} <span className="source">({poem.source})</span>, <Moment at={poem.at} />
          </figcaption>
        </figure>
      )}
    </Panel>
  );
}
