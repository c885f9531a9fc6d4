import type { Listen } from '../contract/address.ts';
import type { LooseAgent, LooseConfig } from './loose.ts';
import type { Report } from './places.ts';

/**
 * Ports on this machine that two would want. An agent whose backend is the daemon itself would be worse than useless: on the
 * internal port it would put the admin API in front of everybody.
 */
export function checkPorts(config: LooseConfig, report: Report): void {
  const { listen, adminListen } = config;
  if (
    listen !== null &&
    adminListen !== null &&
    listen.port !== 0 &&
    listen.port === adminListen.port &&
    meet(listen, adminListen)
  ) {
    report.at('/admin_listen', 'admin_listen must differ from listen: both want the same port');
  }
  const fixed = new Map<number, LooseAgent>();
  for (const agent of config.agents) {
    if (agent.backend === null) continue;
    const { host, port } = agent.backend;
    const pointer = `${agent.pointer}/backend`;
    for (const [key, own] of [
      ['listen', listen],
      ['admin_listen', adminListen],
    ] as const) {
      if (own?.port === port && reaches(host, own)) {
        report.at(pointer, `${said(agent, report)} is the daemon itself (${key})`);
      }
    }
    if (config.engine !== 'process' || agent.policy === 'unmanaged') continue;
    const first = fixed.get(port);
    if (first === undefined) fixed.set(port, agent);
    else report.at(pointer, `${said(agent, report)} has the same port as the agent ${first.name}`);
  }
}

function said({ pointer, raw }: LooseAgent, report: Report): string {
  return `${report.places.label(`${pointer}/backend`)}, ${report.places.shown(`${pointer}/backend`, raw['backend'])},`;
}

const meet = (a: Listen, b: Listen): boolean => isEverywhere(a.host) || isEverywhere(b.host) || a.host === b.host;

const isEverywhere = (host: string | null): boolean => host === null || host === '0.0.0.0' || host === '::';

const reaches = (host: string, own: Listen): boolean =>
  host === own.host || (isThisMachine(host) && (isEverywhere(own.host) || isThisMachine(own.host ?? '')));

/** Ways to write "here". A public address of this machine is not among them: which those are is not known at load. */
function isThisMachine(host: string): boolean {
  return host.startsWith('127.') || ['localhost', '::1', '::', '0.0.0.0', '0'].includes(host) || host.endsWith('.localhost');
}
