import type { LooseConfig, Named } from './loose.ts';
import type { Report } from './places.ts';

/**
 * One hostname, one agent. Wildcards may overlap, since the longest suffix wins and an exact name beats them all; two equal
 * ones cannot both win. A domain that equals a hostname of another agent would never be registered: static beats registered.
 */
export function checkHostnames(config: LooseConfig, report: Report): void {
  const holders = new Map<string, { readonly pointer: string; readonly agent: string }>();
  for (const agent of config.agents) {
    for (const named of agent.hostnames) {
      const first = holders.get(named.name);
      if (first === undefined) holders.set(named.name, { pointer: named.pointer, agent: agent.name });
      else report.at(named.pointer, `${said(named, report)} is already ${whose(first.pointer, report)}`);
    }
  }
  for (const agent of config.agents) {
    for (const named of agent.domains) {
      const holder = holders.get(named.name);
      if (holder === undefined || holder.agent === agent.name) continue;
      report.at(named.pointer, `${said(named, report)} cannot be registered: it is ${whose(holder.pointer, report)}`);
    }
  }
}

function said({ pointer, written }: Named, report: Report): string {
  return `${report.places.label(pointer)}, ${report.places.shown(pointer, written)},`;
}

function whose(pointer: string, report: Report): string {
  const { line } = report.places.position(pointer);
  return `${report.places.label(pointer)}${report.places.get(pointer) === undefined ? '' : `, line ${line}`}`;
}
