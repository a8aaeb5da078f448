import { hasCode, toError } from "../base/index.ts";
import type { DoctorPodmanFacts } from "../doctor/index.ts";
import { observeFolder } from "../doctor/index.ts";
import { connectEngine, type EngineSettings, readProfile } from "../podman/index.ts";

/**
 * What Podman says of itself, for `lane doctor`: works beside a running daemon and without one. Tries the engine
 * profile only when there is an image to try it with, and not at all without `trial`: it can have the service started anew.
 */
export async function observePodman(
  settings: EngineSettings,
  imageReference: string,
  opts: { readonly signal?: AbortSignal | undefined; readonly trial: boolean },
): Promise<DoctorPodmanFacts> {
  const connection = await connectEngine(settings, opts);
  try {
    const { facts, own, runtime } = connection;
    const image = await runtime.findImage(imageReference, opts);
    const profileError = image && opts.trial ? await tryProfile(connection, image.id, opts) : null;
    const stored = readProfile(settings.profileFile);
    return {
      engine: {
        kind: "reachable",
        version: facts.version,
        address: facts.address,
        own,
        rootless: facts.rootless,
        limitsEffective: facts.limitsEffective,
        networkBackend: facts.networkBackend,
      },
      profile: stored
        ? {
            runtime: profileError === null ? (stored.profile.runtime ?? "default") : null,
            ulimits: Object.fromEntries(
              (["nofile", "nproc"] as const).flatMap((name) =>
                stored.profile[name] === null ? [] : [[name, stored.profile[name] as number]],
              ),
            ),
            tries: stored.tries.map((t) => ({ name: nameOf(t.profile), error: t.error })),
          }
        : null,
      image: {
        reference: imageReference,
        id: image?.id ?? null,
        nodeVersion: image?.labels["io.lanekeeper.node"]?.replace(/^v/, "") ?? null,
      },
      storage: facts.storage ? await observeFolder(facts.storage) : null,
    };
  } finally {
    await connection.close();
  }
}

/** A service that is started again with the runtime that was found is not a failure. */
async function tryProfile(
  connection: Awaited<ReturnType<typeof connectEngine>>,
  imageId: string,
  opts: { readonly signal?: AbortSignal | undefined },
): Promise<string | null> {
  try {
    await connection.profile({ ...opts, imageId });
    return null;
  } catch (error) {
    return hasCode(error, "engine.unavailable") ? null : toError(error).message;
  }
}

function nameOf(profile: Readonly<Record<string, unknown>>): string {
  const part = (name: string) => (profile[name] == null ? [] : [`${name}=${String(profile[name])}`]);
  return [String(profile.runtime ?? "default"), ...part("nofile"), ...part("nproc")].join(" ");
}
