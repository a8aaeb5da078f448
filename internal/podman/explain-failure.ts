import { stat } from "node:fs/promises";
import { AppError, errnoOf } from "../base/index.ts";
import type { LaneSpec } from "../lane/index.ts";
import type { LibpodAnswer } from "./http-client.ts";
import { parseInspect } from "./parse-inspect.ts";

/** Sends a query to the engine that failed; 404 is an answer. */
export type Asker = (path: string) => Promise<LibpodAnswer>;

/**
 * Why a create failed. Podman answers with 500 whatever the reason (4.3.1: seen), so what may be missing is looked at
 * instead of reading the engine's words.
 * @returns engine.image_missing, engine.conflict, engine.bad_mount, or `error` itself
 */
export async function explainCreate(
  error: AppError,
  create: { readonly name: string; readonly spec: LaneSpec },
  ask: Asker,
): Promise<AppError> {
  const { image } = create.spec;
  if ((await ask(`/images/${image.id}/exists`)).status === 404) {
    return new AppError({
      code: "engine.image_missing",
      message: `create container ${create.name}: the image ${image.id.slice(0, 12)} is not on this machine`,
      hint: "build it: make image",
      details: error.details,
      cause: error,
    });
  }
  if ((await ask(`/containers/${encodeURIComponent(create.name)}/exists`)).status === 204) {
    return new AppError({
      code: "engine.conflict",
      message: `create container ${create.name}: the name is in use`,
      hint: "it is looked at again",
      retry: "retryable",
      details: error.details,
      cause: error,
    });
  }
  return (await missingSource(error, mountSources(create.spec))) ?? error;
}

/**
 * Why a start failed: a taken port, a mount source that is gone by now, or what the engine says.
 * @returns engine.port_in_use, engine.bad_mount, or `error` itself
 */
export async function explainStart(error: AppError, id: string, ask: Asker): Promise<AppError> {
  const taken = portInUse(error);
  if (taken) return taken;
  const seen = await ask(`/containers/${encodeURIComponent(id)}/json`);
  const mounts = seen.status === 200 ? parseInspect(seen.text).mounts : [];
  const sources = mounts.flatMap((mount) => (mount.kind === "bind" ? [mount.source] : []));
  return (await missingSource(error, sources)) ?? error;
}

/**
 * The one place where the engine's words decide: a start that fails for a taken port is a 500 like any other, and no
 * status or field tells it apart (seen on 4.3.1).
 */
function portInUse(error: AppError): AppError | null {
  if (!/address already in use/i.test(error.message)) return null;
  return new AppError({
    code: "engine.port_in_use",
    message: error.message,
    hint: "another port is drawn by itself",
    retry: "retryable",
    details: error.details,
    cause: error,
  });
}

/** Every path of the host that a container made from `spec` mounts. */
function mountSources(spec: LaneSpec): string[] {
  return [
    ...spec.mounts.flatMap((mount) => (mount.kind === "bind" ? [mount.source] : [])),
    ...[...spec.worker.binaries, ...spec.agents].map((file) => file.hostPath),
  ];
}

async function missingSource(error: AppError, sources: readonly string[]): Promise<AppError | null> {
  for (const source of sources) {
    if (!(await isMissing(source))) continue;
    return new AppError({
      code: "engine.bad_mount",
      message: `${error.message} (${source} is not there)`,
      hint: `bring ${source} back, or take it out of the lane's mounts; then: lane start`,
      details: { ...error.details, source },
      cause: error,
    });
  }
  return null;
}

async function isMissing(path: string): Promise<boolean> {
  try {
    await stat(path);
    return false;
  } catch (caught) {
    const errno = errnoOf(caught);
    return errno === "ENOENT" || errno === "ENOTDIR";
  }
}
