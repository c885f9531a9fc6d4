/**
 * What we read of the Engine API's answers, and nothing more: the engine's own documents are large and grow. Every field may be
 * missing, because an engine of another version, or a proxy in front of it, may leave it out.
 */
export interface ApiVersion {
  readonly ApiVersion?: string;
  readonly Version?: string;
}

/** GET /info: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/System/operation/SystemInfo */
export interface ApiSystem {
  readonly Swarm?: {
    readonly NodeID?: string;
    readonly LocalNodeState?: string;
    readonly ControlAvailable?: boolean;
    readonly Error?: string;
  };
}

export interface ApiNode {
  readonly ID: string;
  readonly Description?: { readonly Hostname?: string };
  readonly Status?: { readonly State?: string };
  readonly ManagerStatus?: { readonly Leader?: boolean };
}

/** Orders of everything stored in a Swarm: whoever has the higher index was written later, whichever object it is. */
export interface ApiMeta {
  readonly ID: string;
  readonly Version?: { readonly Index?: number };
}

export interface ApiServiceSpec {
  readonly Name?: string;
  readonly Mode?: { readonly Replicated?: { readonly Replicas?: number }; readonly [mode: string]: unknown };
  readonly TaskTemplate?: {
    readonly ContainerSpec?: { readonly Image?: string; readonly StopGracePeriod?: number };
    readonly RestartPolicy?: { readonly Condition?: string };
    readonly Networks?: readonly { readonly Target?: string }[];
  };
  readonly Networks?: readonly { readonly Target?: string }[];
}

export interface ApiService extends ApiMeta {
  readonly Spec?: ApiServiceSpec;
  /** Of a rolling update; absent where there was none. */
  readonly UpdateStatus?: { readonly State?: string };
}

export interface ApiTask extends ApiMeta {
  readonly ServiceID?: string;
  readonly CreatedAt?: string;
  readonly Slot?: number;
  readonly NodeID?: string;
  readonly DesiredState?: string;
  readonly Status?: {
    readonly State?: string;
    readonly Err?: string;
    readonly ContainerStatus?: { readonly ContainerID?: string; readonly ExitCode?: number };
  };
  readonly NetworksAttachments?: readonly {
    readonly Network?: { readonly ID?: string };
    /** With the length of the prefix: `10.0.1.5/24`. */
    readonly Addresses?: readonly string[];
  }[];
}

export interface ApiNetwork {
  readonly Id?: string;
  readonly Name?: string;
  readonly Driver?: string;
  readonly Ingress?: boolean;
}

export interface ApiContainer {
  readonly State?: { readonly Paused?: boolean };
  readonly NetworkSettings?: { readonly Networks?: Readonly<Record<string, { readonly NetworkID?: string }>> };
}

/** GET /containers/json: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerList */
export interface ApiContainerSummary {
  readonly Id: string;
  readonly Labels?: Readonly<Record<string, string>> | null;
}

export interface ApiEvent {
  readonly Type?: string;
  readonly Action?: string;
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Readonly<Record<string, string>> };
}
