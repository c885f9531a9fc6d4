import type { Workload } from '../ports/engine.ts';
import type { ApiContainer, ApiNetwork, ApiService, ApiTask } from './api.ts';
import { ApiFailure } from './api-failure.ts';
import type { DockerApi } from './docker-api.ts';
import { replicasOf } from './spec.ts';

/**
 * On which network tasks are reached. Their addresses are taken from Swarm's own list and never from DNS, which learns of a
 * task a tenth of a second later and cannot tell one replica from another.
 */
export type Reach =
  | { readonly networks: readonly { readonly id: string; readonly name: string }[] }
  /** It is known why none can be reached. */
  | { readonly problem: string };

/** `ownName`: the name of this machine, which inside of a container is its id. */
export async function findReach(api: DockerApi, configured: string | null, ownName: string): Promise<Reach> {
  if (configured !== null) {
    const network = await found(api.call<ApiNetwork>('network', { id: configured }));
    if (network === null) return { problem: `there is no network ${configured}: create it, or mend swarm.network` };
    if (network.Driver !== 'overlay' || network.Id === undefined)
      return { problem: `network ${configured} is not an overlay network: mend swarm.network` };
    return { networks: [{ id: network.Id, name: network.Name ?? configured }] };
  }
  const self = await found(api.call<ApiContainer>('container', { id: ownName }));
  if (self === null) return { problem: 'the daemon is no container of this Docker, so swarm.network has to say where tasks are' };
  const ids = Object.values(self.NetworkSettings?.Networks ?? {}).flatMap(({ NetworkID }) => NetworkID ?? []);
  const all = await Promise.all(ids.map((id) => found(api.call<ApiNetwork>('network', { id }))));
  const networks = all.flatMap((network) =>
    network?.Driver === 'overlay' && network.Ingress !== true && network.Id !== undefined
      ? [{ id: network.Id, name: network.Name ?? network.Id }]
      : [],
  );
  return networks.length > 0
    ? { networks }
    : { problem: "the daemon's container is on no overlay network: attach it to the one of the agents" };
}

async function found<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiFailure && error.kind === 'missing') return null;
    throw error;
  }
}

/** The address of a task on the network, without the length of its prefix; null while it has none there. */
export function addressOn(reach: Reach, task: ApiTask): string | null {
  if ('problem' in reach) return null;
  for (const { id } of reach.networks) {
    const attachment = task.NetworksAttachments?.find(({ Network }) => Network?.ID === id);
    const address = attachment?.Addresses?.[0]?.split('/')[0];
    if (address !== undefined) return address;
  }
  return null;
}

/** Why an agent cannot run, or not be reached, as its service stands; null when nothing is wrong with it. */
export function obstacleOf(service: ApiService, { policy, swarm }: Workload, reach: Reach): string | null {
  const spec = service.Spec ?? {};
  const name = swarm?.service ?? '';
  if (policy === 'on-demand' && replicasOf(spec) === null)
    return `service ${name} is ${modeOf(spec.Mode)}: only a replicated service can be put to sleep`;
  if (swarm?.host !== null) return null;
  if ('problem' in reach) return reach.problem;
  const attached = [...(spec.TaskTemplate?.Networks ?? []), ...(spec.Networks ?? [])].map(({ Target }) => Target);
  if (reach.networks.some(({ id, name: network }) => attached.includes(id) || attached.includes(network))) return null;
  return `service ${name} is not on the network ${reach.networks.map((network) => network.name).join(' or ')}: attach it there`;
}

const modeOf = (mode: Readonly<Record<string, unknown>> | undefined): string =>
  (Object.keys(mode ?? {})[0] ?? 'unknown').toLowerCase();
