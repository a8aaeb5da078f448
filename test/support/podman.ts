import { execa } from "execa";

/** A container as `podman inspect` shows it: only what the tests look at. */
export interface Inspected {
  readonly Id: string;
  readonly Image: string;
  readonly State: {
    readonly Status: string;
    readonly Pid: number;
    readonly ConmonPid: number;
    readonly StartedAt: string;
  };
  readonly Mounts: readonly {
    readonly Type: string;
    readonly Source: string;
    readonly Destination: string;
    readonly RW: boolean;
  }[];
  readonly Config: {
    readonly Env: readonly string[];
    readonly WorkingDir: string;
    readonly User: string;
    readonly Entrypoint: string | readonly string[];
    readonly Labels: Readonly<Record<string, string>>;
  };
  readonly HostConfig: {
    readonly PidsLimit: number;
    readonly PortBindings: Readonly<Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[]>>;
    readonly RestartPolicy: { readonly Name: string };
    readonly Memory: number;
  };
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> };
  readonly EffectiveCaps: readonly string[] | null;
}

/** Runs `podman`; throws with its output when it fails. */
export async function podman(...args: readonly string[]): Promise<string> {
  return (await execa("podman", args)).stdout;
}

/** One container by name or id. */
export async function inspectContainer(idOrName: string): Promise<Inspected> {
  return (JSON.parse(await podman("container", "inspect", idOrName)) as Inspected[])[0] as Inspected;
}

/** Ids of all containers, running or not, that carry a label. */
export async function containersWith(label: string): Promise<string[]> {
  return (await podman("ps", "-aq", "--no-trunc", "--filter", `label=${label}`)).split("\n").filter(Boolean);
}
