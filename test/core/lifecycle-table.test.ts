import { describe, expect, it } from 'vitest';
import { step } from '../../src/core/agent/step.ts';
import { NOW, POLICY } from './lifecycle-parts.ts';
import { cases, orderWords } from './lifecycle-table.ts';

describe('the life cycle table', () => {
  for (const { key, when, state, event, to, orders, policy } of cases()) {
    it(`${key}, ${event.type}${when === '' ? '' : `, ${when}`}: ${to}`, () => {
      const result = step(state, event, NOW, { ...POLICY, ...policy, kind: state.policy });
      expect({ to: result.state.name, orders: result.effects.map(orderWords) }).toEqual({ to, orders });
    });
  }
});
