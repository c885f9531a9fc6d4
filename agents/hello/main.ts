import { runAgent } from '../kit/agent.ts';
import { serveActions } from './actions.ts';
import { serveEndpoints } from './endpoints.ts';
import { Life } from './life.ts';
import { servePage } from './page.ts';
import { Preview } from './preview.ts';

/**
 * The agent of the first ten minutes: a page that shows its own life, and endpoints to try everything with that could keep
 * it awake. With a daemon it is started from orchestrator.yaml; alone, `PORT=3000 node agents/hello/main.ts` serves the same
 * page without the parts that need one.
 */
await runAgent((agent) => {
  const preview = new Preview(agent);
  const life = new Life(agent, preview);
  servePage(agent, life);
  serveActions(agent, life, preview);
  serveEndpoints(agent);
});
