import type { ReactNode } from 'react';
import type { OnOff } from '../../../world/values.ts';

/** ON or OFF, and for those who wonder what is on, in a word of its own. */
export function ArmBadge({ arm }: { readonly arm: OnOff }): ReactNode {
  const meaning = arm === 'on' ? 'armed' : 'not armed';
  return (
    <span className="badge" data-badge={arm} title={meaning}>
      <span>{arm.toUpperCase()}</span>
      <span className="unseen"> ({meaning})</span>
    </span>
  );
}
