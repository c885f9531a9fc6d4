import { describe, expect, it } from 'vitest';
import { house } from './harness.ts';

describe('events are kept', () => {
  it('S: a daemon that is killed and started again goes on with the next number, and tells what was', async () => {
    const first = await house({ engine: { name: 'swarm' } });
    await first.ready();
    const told = [...first.events];
    const second = first.killed();
    expect(second.control.lastEventId()).toBe(told.at(-1)?.id);
    await second.open();
    await second.clock.settle();
    expect(second.events[0]?.id).toBe(told.length + 1);
    expect(second.control.eventsAfter(0, 1000)).toEqual([...told, ...second.events]);
    expect(second.control.eventsAfter(1, 2)).toEqual(told.slice(1, 3));
    await second.close();
  });

  it('an event that cannot be kept is told all the same, which is said once, and once more when it is over', async () => {
    const open = await house({ agents: { kai: {}, eve: {} } });
    const lines = (level: string): readonly string[] =>
      open.log.lines.flatMap((line) => (line.level === level && line.message.startsWith('events') ? [line.message] : []));
    open.store.full = true;
    await open.ready('kai');
    expect(open.eventsOf('agent.ready')).toHaveLength(1);
    expect(lines('error')).toEqual(['events cannot be kept; they are told, but not again']);
    const missing = open.control.lastEventId();
    open.store.full = false;
    await open.ready('eve');
    expect(lines('info')).toEqual(['events are kept again']);
    expect(lines('error')).toHaveLength(1);
    expect(open.events.map(({ id }) => id)).toEqual(open.events.map((_, index) => index + 1));
    expect(open.control.eventsAfter(missing - 2, 1)).toMatchObject([{ id: missing + 1 }]);
  });
});
