import { CreateAgentBody } from '../contract/api.ts';
import { AgentConfig, type Config } from '../contract/config.ts';
import { done, failed, type Outcome } from '../std/outcome.ts';
import { crossCheck } from './cross-check.ts';
import { mergeDefaults } from './defaults.ts';
import { pointerTo, Places, Report } from './places.ts';
import { loaded, shapeOf, unloaded } from './shape.ts';
import { validate } from './validate.ts';

/** Where a key of the body goes in the config of an agent. */
const KEYS = {
  hostname: '/hostname',
  backend: '/backend',
  policy: '/policy',
  container_name: '/container/name',
  health_url: '/health/url',
  idle_timeout: '/idle/timeout',
} as const satisfies Readonly<Partial<Record<keyof CreateAgentBody, string>>>;

/**
 * The body of `POST /admin/agents` -> the same AgentConfig that a file makes, by the same schema, defaults and cross-checks;
 * or every complaint as a sentence for the detail of `invalid-body`. Also for bodies that are read back from the store, which
 * an older version may have written. Whether name and hostnames are free is for the caller to say first: that is a 409.
 */
export function agentFromBody(
  body: unknown,
  config: Config,
  directory: string,
): Outcome<{ readonly name: string; readonly agent: AgentConfig }, readonly string[]> {
  const outline = new Report(new Places('the body'));
  validate(CreateAgentBody, body, outline);
  if (outline.complaints().length > 0) return failed(messages(outline));
  const made = body as CreateAgentBody;
  if (config.engine === 'process' && made.policy !== 'unmanaged') {
    return failed(['policy must be unmanaged on the process engine: what to run is said in the config file only']);
  }

  const pointer = pointerTo('/agents', made.name);
  const places = new Places('the body');
  const nowhere = { line: 1, column: 1 };
  for (const [key, at] of Object.entries(KEYS)) {
    places.set(pointer + at, { label: key, key: nowhere, value: nowhere, variable: null, substituted: false, broken: false });
  }
  const raw: Record<string, unknown> = { hostname: made.hostname, backend: made.backend, policy: made.policy };
  if (made.container_name !== undefined) raw['container'] = { name: made.container_name };
  if (made.health_url !== undefined) raw['health'] = { url: made.health_url };
  if (made.idle_timeout !== undefined) raw['idle'] = { timeout: made.idle_timeout };
  const defaults = {
    health: unloaded(shapeOf(AgentConfig.properties.health), config.defaults.health),
    idle: unloaded(shapeOf(AgentConfig.properties.idle), config.defaults.idle),
  };
  mergeDefaults({ defaults, agents: { [made.name]: raw } }, places);

  const report = new Report(places);
  validate(AgentConfig, raw, report, pointer);
  crossCheck({ ...config, agents: { ...config.agents, [made.name]: raw } }, report);
  const complaints = messages(report, pointer);
  if (complaints.length > 0) return failed(complaints);
  return done({ name: made.name, agent: loaded(shapeOf(AgentConfig), raw, directory) as AgentConfig });
}

const messages = (report: Report, pointer = ''): string[] => [...new Set(report.complaints(pointer).map((one) => one.message))];
