import type { Task } from '../ports/engine.ts';
import type { AgentSettings } from './agent-settings.ts';

/** Ports below belong to the system (RFC 6335 section 6). */
const FIRST_UNPRIVILEGED_PORT = 1024;

/**
 * Whose port is whose, where all agents share one host (engine process): an agent that registers the port of another one, of
 * the daemon or of the system would lend its hostname to somebody else. Under Swarm each task has an address of its own and
 * nothing is foreign.
 */
export class PortBook {
  private taskPorts = new Map<string, readonly number[]>();
  private owners = new Map<number, string>();
  private backends: readonly { readonly agent: string; readonly port: number }[] = [];
  private readonly shared: boolean;
  private readonly ownPorts: () => readonly number[];

  constructor(shared: boolean, ownPorts: () => readonly number[]) {
    this.shared = shared;
    this.ownPorts = ownPorts;
  }

  setTasks(agent: string, tasks: readonly Task[]): void {
    const ports = tasks.flatMap((task) => (task.address === null ? [] : [task.address.port]));
    if (ports.length === 0) this.taskPorts.delete(agent);
    else this.taskPorts.set(agent, ports);
    this.owners = new Map(this.backends.map(({ agent: owner, port }) => [port, owner]));
    for (const [owner, held] of this.taskPorts) for (const port of held) this.owners.set(port, owner);
  }

  setBackends(settings: readonly AgentSettings[]): void {
    this.backends = settings.flatMap(({ name, backend }) => (backend === null ? [] : [{ agent: name, port: backend.port }]));
    this.setTasks('', []);
  }

  isForeign(agent: string, port: number): boolean {
    if (!this.shared) return false;
    const owner = this.owners.get(port);
    return port < FIRST_UNPRIVILEGED_PORT || this.ownPorts().includes(port) || (owner !== undefined && owner !== agent);
  }
}
