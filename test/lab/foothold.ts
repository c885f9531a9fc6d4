import { docker } from './engine.ts';

/**
 * A place on an overlay network. The addresses of tasks can be reached only from a container that is on their network, so
 * there is one which does nothing, and programs of the lab run in its network namespace: with the lab's files, processes and
 * Docker socket, but with the overlay in front of them. The daemon as a container, as in production, is the other way, and
 * the slower one for a test that wants the source as it is.
 */
export interface Foothold {
  readonly container: string;
  /** Stands before a command that is to run there. */
  readonly prefix: readonly string[];
  /** Where the lab itself reaches what listens there on 0.0.0.0. */
  readonly address: string;
  /** The same on the overlay, where tasks reach it. */
  readonly overlayAddress: string;
}

/** `network` is an attachable overlay. The container stays until it is removed. */
export async function makeFoothold(socket: string, network: string, image: string, name = 'foothold'): Promise<Foothold> {
  const spec = { socket };
  const container = await docker(
    spec,
    'run',
    '--detach',
    '--init',
    '--name',
    name,
    '--network',
    network,
    image,
    'sleep',
    'infinity',
  );
  const inspected = JSON.parse(await docker(spec, 'inspect', container)) as readonly {
    readonly State: { readonly Pid: number };
    readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string } | undefined>> };
  }[];
  const pid = inspected[0]?.State.Pid ?? 0;
  const gateway = JSON.parse(await docker(spec, 'network', 'inspect', 'docker_gwbridge')) as readonly {
    readonly Containers: Readonly<Record<string, { readonly IPv4Address: string } | undefined>>;
  }[];
  const address = gateway[0]?.Containers[container]?.IPv4Address.split('/')[0];
  const overlayAddress = inspected[0]?.NetworkSettings.Networks[network]?.IPAddress;
  if (address === undefined || overlayAddress === undefined) throw new Error(`The foothold on ${network} has no address.`);
  return { container, prefix: ['nsenter', `--net=/proc/${pid}/ns/net`, '--'], address, overlayAddress };
}
