import { parseBackend, parseHttpUrl } from '../contract/address.ts';
import { parseDuration, parseRate } from '../contract/units.ts';
import { checkHostnames } from './check-hostnames.ts';
import { checkPorts } from './check-ports.ts';
import { checkIgnore } from './ignore.ts';
import { isObject, type Loose, type LooseAgent, type LooseConfig, looseConfig, textOf, wholeOf } from './loose.ts';
import type { Report } from './places.ts';

/**
 * What no schema can say: values that must fit each other. Only what cannot work is refused; what is merely odd is the
 * operator's business.
 */
export function crossCheck(root: Loose, report: Report): void {
  const config = looseConfig(root);
  if (root['admin_token'] !== undefined && root['admin_token_file'] !== undefined) {
    report.atKey('/admin_token_file', 'admin_token and admin_token_file are both given; keep one');
  }
  if (isObject(root['swarm']) && root['swarm']['network'] === 'ingress') {
    report.at(
      '/swarm/network',
      "swarm.network must be an overlay of your own; tasks cannot be reached on Docker's ingress network",
    );
  }
  checkIgnore(root['ignore'], '/ignore', report);
  checkWakeLimits(root['wake_limits'], report);
  for (const agent of config.agents) checkAgent(agent, config, report);
  checkHostnames(config, report);
  checkPorts(config, report);
}

/** Only a limit that was written is spoken of: the default of the other one is cut by the lower total anyway. */
function checkWakeLimits(limits: unknown, report: Report): void {
  if (!isObject(limits)) return;
  const perClient = parseRate(textOf(limits['per_client']) ?? '');
  const total = parseRate(textOf(limits['total']) ?? '');
  const pointer = '/wake_limits/per_client';
  if (perClient === null || total === null || report.places.get(pointer) === undefined) return;
  if (perClient.count / perClient.per <= total.count / total.per) return;
  report.at(
    pointer,
    `${report.places.label(pointer)} must be at most wake_limits.total, which is ${textOf(limits['total'])}${report.places.butNot(pointer, limits['per_client'])}; raise the total, or lower this`,
  );
}

/** What the process engine itself puts into the environment of a task (contract, section 4). */
const ENGINE_VARIABLES = [
  'PORT',
  'HOST',
  'REVEILLE_URL',
  'REVEILLE_AGENT',
  'REVEILLE_TOKEN',
  'REVEILLE_TASK_ID',
  'REVEILLE_TASK_SLOT',
  'REVEILLE_TASK_NAME',
] as const;

function checkAgent(agent: LooseAgent, config: LooseConfig, report: Report): void {
  const { pointer, raw } = agent;
  const label = (key: string): string => report.places.label(`${pointer}/${key}`);
  checkBackend(agent, config, report);
  if (agent.policy !== 'unmanaged' && agent.policy !== null) {
    if (config.engine === 'swarm' && raw['container'] === undefined) {
      report.at(
        `${pointer}/container`,
        `${label('container')}.name is missing; on the swarm engine it says which service the agent is`,
      );
    }
    if (config.engine === 'process' && raw['process'] === undefined) {
      report.at(`${pointer}/process`, `${label('process')}.command is missing; on the process engine it says what to run`);
    }
  }
  const process = isObject(raw['process']) ? raw['process'] : {};
  if (Array.isArray(process['command']) && process['command'][0] === '') {
    report.at(`${pointer}/process/command/0`, `${label('process/command/0')} must be the program to run, not empty`);
  }
  for (const name of ENGINE_VARIABLES) {
    if (!isObject(process['env']) || !Object.hasOwn(process['env'], name)) continue;
    const hint = name === 'PORT' ? '; for a fixed port write `backend: http://127.0.0.1:PORT`' : '';
    report.atKey(`${pointer}/process/env/${name}`, `${label(`process/env/${name}`)} is set by the process engine${hint}`);
  }
  const replicas = wholeOf(raw['replicas']);
  const replicasMax = wholeOf(raw['replicas_max']);
  if (replicas !== null && replicasMax !== null && replicas > replicasMax) {
    report.at(
      `${pointer}/replicas_max`,
      `${label('replicas_max')} must be at least as many as replicas${report.places.butNot(`${pointer}/replicas_max`, replicasMax)}`,
    );
  }
  checkExpect(agent, report);
  checkIgnore(raw['ignore'], `${pointer}/ignore`, report);
  checkFreeze(agent, report);
}

function checkBackend(agent: LooseAgent, config: LooseConfig, report: Report): void {
  const pointer = `${agent.pointer}/backend`;
  const written = textOf(agent.raw['backend']);
  const label = report.places.label(pointer);
  if (written === null) {
    if (agent.raw['backend'] !== null) return;
    if (agent.policy === 'unmanaged') report.at(pointer, `${label} is missing; for an unmanaged agent it says where it listens`);
    else if (config.engine === 'swarm') {
      report.at(pointer, `${label} is missing; on the swarm engine it says where it listens, as in http://tasks.SERVICE:8080`);
    }
    return;
  }
  const backend = parseBackend(written);
  // What is no http URL at all the schema has refused already.
  if (!backend.ok && !parseHttpUrl(written).ok) return;
  if (!backend.ok)
    report.at(
      pointer,
      `${label} must be only scheme, host and port${report.places.butNot(pointer, written)}: it ${backend.failure}`,
    );
  else if (config.engine === 'process' && agent.policy !== 'unmanaged' && agent.policy !== null) {
    const { host } = backend.value;
    if (host !== '127.0.0.1' && host !== 'localhost') {
      report.at(
        pointer,
        `${label} must be http://127.0.0.1:PORT: the process engine runs the agent on this machine; for one that runs elsewhere write \`policy: unmanaged\``,
      );
    }
    for (const key of ['replicas', 'replicas_max']) {
      const count = wholeOf(agent.raw[key]);
      if (count !== null && count > 1) {
        report.at(
          `${agent.pointer}/${key}`,
          `${report.places.label(`${agent.pointer}/${key}`)} must be 1${report.places.butNot(`${agent.pointer}/${key}`, count)}: backend fixes the port, and only one process can listen on it`,
        );
        break;
      }
    }
  }
}

/** `399-200` fits the pattern and no status at all. */
function checkExpect(agent: LooseAgent, report: Report): void {
  const health = agent.raw['health'];
  const expect = isObject(health) ? health['expect'] : undefined;
  if (!Array.isArray(expect)) return;
  expect.forEach((range: unknown, index) => {
    const match = /^([1-5][0-9]{2})-([1-5][0-9]{2})$/.exec(textOf(range) ?? '');
    if (match === null || Number(match[1]) <= Number(match[2])) return;
    const pointer = `${agent.pointer}/health/expect/${index}`;
    report.at(pointer, `${report.places.label(pointer)} must rise, as in "200-399"${report.places.butNot(pointer, range)}`);
  });
}

/** Both run from the last activity: an agent that sleeps first is never frozen. */
function checkFreeze(agent: LooseAgent, report: Report): void {
  const idle = isObject(agent.raw['idle']) ? agent.raw['idle'] : {};
  const freezeAfter = parseDuration(textOf(idle['freeze_after']) ?? '');
  const timeout = parseDuration(textOf(idle['timeout']) ?? '');
  if (freezeAfter === null || timeout === null || freezeAfter < timeout) return;
  const pointer = `${agent.pointer}/idle/freeze_after`;
  report.at(
    pointer,
    `${report.places.label(pointer)} must be shorter than idle.timeout, or the agent is asleep before it is frozen${report.places.butNot(pointer, idle['freeze_after'])}`,
  );
}
