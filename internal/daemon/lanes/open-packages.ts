import type { Logger } from "pino";
import { systemClock } from "../../base/index.ts";
import type { Settings } from "../../config/index.ts";
import { type NpmEnv, readRegistryAccess } from "../../host/index.ts";
import { createImageBuilder } from "../../podman/index.ts";
import { createPackagesDesk, type PackagesDeps, type PackagesDesk } from "./packages-desk.ts";

/** Builds the desk on what is there: the engine's profile, the installation's limits, the host's way to registries. */
export function openPackages(
  options: { readonly settings: Settings; readonly npmEnv: NpmEnv; readonly log: Logger },
  deps: Pick<PackagesDeps, "install" | "lanes" | "wake"> & { readonly caBundle: string | null },
): PackagesDesk {
  const { caBundle, ...rest } = deps;
  return createPackagesDesk({
    ...rest,
    openBuilder: createImageBuilder,
    factsOf: async (engine, { baseId }, opts) => {
      const { runtime, nofile, nproc, limitsEffective } = await engine.profile({ ...opts, imageId: baseId });
      const { memoryBytes, pids } = limitsEffective ? options.settings.limits : { memoryBytes: null, pids: null };
      const access = await readRegistryAccess(options.npmEnv, opts);
      return { install: deps.install, runtime, nofile, nproc, memoryBytes, pids, caBundle, ...access };
    },
    clock: systemClock,
    log: options.log.child({ component: "packages" }),
  });
}
