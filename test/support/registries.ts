import { execa } from "execa";
import { readRegistryAccess } from "../../internal/host/index.ts";

/**
 * Why images with packages cannot be made on this machine: the registry of npm or a mirror of apt does not answer. Null
 * when both do. Asked of the host, which has the same way there as a container.
 */
export async function whyNoRegistries(): Promise<string | null> {
  const [npm, apt] = await Promise.all([
    execa("npm", ["view", "semver@7.7.2", "version", "--fetch-retries=0"], {
      reject: false,
      timeout: 15_000,
      cwd: "/",
    }),
    execa("apt-get", ["--print-uris", "update"], { reject: false, timeout: 15_000 }),
  ]);
  if (npm.exitCode !== 0) return "the npm registry does not answer";
  const mirror = /'(https?:\/\/\S+InRelease)'/.exec(apt.stdout)?.[1];
  if (mirror === undefined) return "apt on this machine has no mirror";
  const seen = await execa("curl", ["--head", "--silent", "--fail", "--max-time", "10", "--location", mirror], {
    reject: false,
  });
  return seen.exitCode === 0 ? null : "the mirror of apt does not answer";
}

/** How tests' builds reach the registries. */
export function registryAccess(): ReturnType<typeof readRegistryAccess> {
  return readRegistryAccess(process.env, {});
}
