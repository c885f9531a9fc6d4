/**
 * Every call to the Engine API that the daemon makes. docs/docker-socket.md is made from this table, and a test that records
 * what reaches a real engine holds it against it: whoever puts a socket proxy in between can allow exactly these.
 */
export interface ApiCall {
  readonly method: 'GET' | 'POST';
  /** Without the version; `{}` stands for an id or a name. */
  readonly path: string;
  readonly why: string;
}

export const CALLS = {
  version: { method: 'GET', path: '/version', why: 'Which API version the engine speaks. Asked once for each connection.' },
  info: { method: 'GET', path: '/info', why: 'Whether it is a Swarm manager, and which node it is.' },
  events: { method: 'GET', path: '/events', why: 'What happens to services, nodes, and the containers of this node.' },
  services: { method: 'GET', path: '/services', why: 'All services at once, after connecting and twice a minute.' },
  service: { method: 'GET', path: '/services/{}', why: 'One service: how many are wanted, and its spec before it is scaled.' },
  update: { method: 'POST', path: '/services/{}/update', why: 'Wake and sleep: the spec as it was read, with another number.' },
  tasks: { method: 'GET', path: '/tasks', why: 'Tasks, their state and their addresses.' },
  nodes: { method: 'GET', path: '/nodes', why: 'Names of nodes, which one leads and which are down.' },
  network: { method: 'GET', path: '/networks/{}', why: 'The overlay network that tasks are reached on.' },
  container: {
    method: 'GET',
    path: '/containers/{}/json',
    why: "Whether a task is paused; and the daemon's own container, where swarm.network is not set.",
  },
  containers: { method: 'GET', path: '/containers/json', why: 'Which containers of this node are paused.' },
  pause: { method: 'POST', path: '/containers/{}/pause', why: 'Freezes a task of an idle agent.' },
  unpause: { method: 'POST', path: '/containers/{}/unpause', why: 'Thaws a frozen task.' },
  stop: {
    method: 'POST',
    path: '/containers/{}/stop',
    why: "Ends a task of an agent that was told to stop, without Swarm's delay.",
  },
} as const satisfies Readonly<Record<string, ApiCall>>;

export type CallName = keyof typeof CALLS;
