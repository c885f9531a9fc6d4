import Type from 'typebox';
import { AgentView, OverrideBody } from '../contract/api.ts';
import { Problem } from '../contract/problems.ts';
import type { Control } from '../runtime/control.ts';
import { type WallTime, parseRfc3339 } from '../std/time.ts';
import { type App, call } from './openapi.ts';
import { valueOf } from './problems.ts';

/** What an operator keeps asleep or awake, whoever calls. */
const Name = Type.Object({ name: Type.String() });

export function overrideRoutes(app: App, control: Control): void {
  app.put(
    '/admin/agents/:name/override',
    call({
      access: 'admin',
      id: 'keepAgent',
      tag: 'agents',
      summary: 'Keep an agent asleep or awake',
      description:
        'Until it is lifted, or until a time. asleep: it is drained and put to sleep, and calls are refused with `kept-asleep`. ' +
        'awake: it is woken, woken again when it fails, and neither sleeps, is frozen nor gives way to another. ' +
        'Outlives restarts of the daemon; ends with the agent.',
      params: Name,
      body: OverrideBody,
      replies: { 200: AgentView },
      problems: ['unknown-agent', 'not-on-demand', 'state-failed'],
    }),
    ({ params, body }) => valueOf(control.keep(params.name, body.state, untilOf(body.until))),
  );

  app.delete(
    '/admin/agents/:name/override',
    call({
      access: 'admin',
      id: 'releaseAgent',
      tag: 'agents',
      summary: 'Let an agent sleep and wake as its callers have it',
      description: 'Lifting an override that is not there is no mistake.',
      params: Name,
      replies: { 200: AgentView },
      problems: ['unknown-agent', 'not-on-demand', 'state-failed'],
    }),
    ({ params }) => valueOf(control.release(params.name)),
  );
}

/** The schema has looked at its form already; a day that is in no calendar has a good one. */
function untilOf(text: string | undefined): WallTime | null {
  if (text === undefined) return null;
  const until = parseRfc3339(text);
  if (until === null) throw new Problem('invalid-body', 'until: is no time that there is');
  return until;
}
