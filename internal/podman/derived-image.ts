import * as z from "zod";
import { AppError, hasCode, withDeadline } from "../base/index.ts";
import { type DerivedImage, derivedImages, INSTALL_LABEL, renderPackages } from "../lane/index.ts";
import {
  type BuildFacts,
  buildName,
  buildOwner,
  type ImageConfig,
  PACKAGES_LABEL,
  toBuildBody,
  toBuildCommands,
  toBuildEnv,
  toChanges,
} from "./derived-body.ts";
import { createExecClient, type ExecClient } from "./exec-session.ts";
import { createLibpodClient, type LibpodClient, type LibpodRequest, statusError } from "./http-client.ts";
import { parseJson } from "./parse-inspect.ts";
import { type CallOptions, createPodmanRuntime, type PodmanRuntime } from "./podman-runtime.ts";
import { imageConfigSchema, imagesSchema } from "./reply-schemas.ts";

/** For one image, downloads and all. */
const BUILD_MS = 20 * 60_000;
/** Writing a layer takes as long as its size. */
const COMMIT_MS = 5 * 60_000;
const QUERY_MS = 30_000;

/** An image with packages that is on this machine. */
export interface FoundDerived {
  readonly id: string;
  /** Its name; null for one that was being made when its maker died. */
  readonly name: string | null;
}

/** Makes images with packages on one engine. */
export interface ImageBuilder {
  /**
   * Makes the image under its name, or nothing at all: container, network and what has no name yet go in any case.
   * @throws engine.image_failed with the last lines of what failed as `details.output`; engine.unavailable; cancelled
   */
  build(image: DerivedImage, facts: BuildFacts, opts: CallOptions): Promise<void>;
  /** All images with packages of an installation. */
  list(install: string, opts: CallOptions): Promise<readonly FoundDerived[]>;
  /** Removes one that no container uses; false: it is in use. Absent is fine. */
  remove(id: string, opts: CallOptions): Promise<boolean>;
  /** Removes containers and networks of builds that died; not of images that are being made. Their names. */
  sweep(install: string, making: () => readonly DerivedImage[], opts: CallOptions): Promise<readonly string[]>;
  close(): Promise<void>;
}

interface Engine {
  readonly runtime: PodmanRuntime;
  readonly exec: ExecClient;
  readonly client: LibpodClient;
}

/** @param address `unix:///path/to/podman.sock` */
export function createImageBuilder(address: string): ImageBuilder {
  const engine: Engine = {
    runtime: createPodmanRuntime({ address }),
    exec: createExecClient(address),
    client: createLibpodClient(address.replace(/^unix:\/\//, ""), address),
  };
  return {
    build: (image, facts, opts) =>
      withDeadline({ ms: BUILD_MS, signal: opts.signal, makeError: () => tooLong(image) }, (signal) =>
        build(engine, image, facts, { signal }),
      ),
    async list(install, opts) {
      const filters = encodeURIComponent(JSON.stringify({ label: [`${PACKAGES_LABEL}=${install}`] }));
      const text = await ask(
        engine,
        { method: "GET", path: `/images/json?filters=${filters}`, act: "list images" },
        opts,
      );
      return (parseJson(imagesSchema, text, "images") ?? []).map(({ Id, RepoTags }) => ({
        id: Id.replace(/^sha256:/, ""),
        name: RepoTags?.find((tag) => tag.startsWith(`${derivedImages(install)}:`)) ?? null,
      }));
    },
    remove: (id, opts) => removeImage(engine, id, opts),
    async sweep(install, making, opts) {
      const { runtime } = engine;
      const owned = { ...opts, install: buildOwner(install) };
      // Asked after each list: what is on it was begun before.
      const isOver = ({ name }: { readonly name: string }) => !making().some((one) => buildName(install, one) === name);
      const containers = (await runtime.listContainers(owned)).filter(isOver);
      for (const { id } of containers) await runtime.removeContainer(id, opts);
      const networks = (await runtime.listNetworks(owned)).filter(isOver);
      for (const { name } of networks) await runtime.removeNetwork(name, opts);
      return [...new Set([...containers, ...networks].map(({ name }) => name))];
    },
    async close() {
      await Promise.all([engine.runtime.close(), engine.exec.close(), engine.client.close()]);
    },
  };
}

async function build(engine: Engine, image: DerivedImage, facts: BuildFacts, opts: CallOptions): Promise<void> {
  const { runtime } = engine;
  const name = buildName(facts.install, image);
  const base = await configOf(engine, image.baseId, opts);
  // What a maker that died, or an engine that went, has left under the name.
  const left = await runtime.inspectContainer(name, opts);
  if (left?.rawLabels[INSTALL_LABEL] === buildOwner(facts.install)) await runtime.removeContainer(left.id, opts);
  await runtime.clearName(name, opts);
  let container: string | null = null;
  let made: string | null = null;
  try {
    // Isolated like a lane's, and no janitor's: its label names no lane.
    await runtime.ensureNetwork({ name, isolate: true, labels: labelsOf(facts.install) }, opts);
    container = (await runtime.createRaw(toBuildBody(image, base, facts), opts)).id;
    await runtime.startContainer(container, opts);
    for (const argv of toBuildCommands(image, facts)) await run(engine, container, argv, image, facts, opts);
    // What packages have started would go on writing while the layer is made.
    await runtime.stopContainer(container, { ...opts, graceMs: 0 });
    made = await commit(engine, container, base, opts);
    await checkConfig(engine, made, base, image, opts);
    await tag(engine, made, image, opts);
    made = null;
  } finally {
    // Also after an abort; a service that does not answer leaves them to the next sweep.
    if (container !== null) await passOver(runtime.removeContainer(container, {}));
    await passOver(runtime.removeNetwork(name, {}));
    if (made !== null) await passOver(removeImage(engine, made, {}));
  }
}

async function run(
  engine: Engine,
  containerId: string,
  argv: readonly string[],
  image: DerivedImage,
  facts: BuildFacts,
  opts: CallOptions,
): Promise<void> {
  const wanted = { containerId, argv, env: toBuildEnv(facts), user: "0:0", workdir: "/" };
  const { exitCode, tail } = await engine.exec.capture(wanted, opts);
  if (exitCode === 0) return;
  const program = argv[0] ?? "";
  const said = tail.filter((line) => /^(E:|npm (error|ERR!))/.test(line)).slice(0, 3);
  const why = (said.length > 0 ? said : tail.slice(-2)).join("; ").slice(0, 400);
  throw new AppError({
    code: "engine.image_failed",
    message: `its image with ${renderPackages(image.packages)} could not be made: ${program} ended with exit code ${exitCode ?? "unknown"}${why === "" ? "" : `: ${why}`}`,
    hint: "mend what it names, or try again",
    details: { output: tail },
  });
}

async function commit(engine: Engine, container: string, base: ImageConfig, opts: CallOptions): Promise<string> {
  const query = new URLSearchParams({ container, format: "oci", pause: "false" });
  for (const change of toChanges(base)) query.append("changes", change);
  const request = { method: "POST", path: `/commit?${query}`, act: "commit an image", deadlineMs: COMMIT_MS } as const;
  const { Id } = parseJson(z.object({ Id: z.string() }), await ask(engine, request, opts), "commit");
  return Id.replace(/^sha256:/, "");
}

/** What its base is when it is started, the image has to be too: lanes rely on it. @throws engine.image_failed */
async function checkConfig(
  engine: Engine,
  made: string,
  base: ImageConfig,
  image: DerivedImage,
  opts: CallOptions,
): Promise<void> {
  const now = await configOf(engine, made, opts);
  const kept = ({ cmd, entrypoint, user, workdir }: ImageConfig) => JSON.stringify([cmd, entrypoint, user, workdir]);
  if (kept(now) === kept(base) && base.env.every((entry) => now.env.includes(entry))) return;
  throw new AppError({
    code: "engine.image_failed",
    message: `its image with ${renderPackages(image.packages)} could not be made: the engine has changed how its base starts`,
    hint: "see the engine's version: lane doctor",
    details: { base, now },
  });
}

async function tag(engine: Engine, id: string, image: DerivedImage, opts: CallOptions): Promise<void> {
  const [repo = "", name = ""] = image.name.split(/:(?=[^:]*$)/);
  const path = `/images/${id}/tag?${new URLSearchParams({ repo, tag: name })}`;
  await ask(engine, { method: "POST", path, act: `name the image ${image.name}` }, opts);
}

async function configOf(engine: Engine, id: string, opts: CallOptions): Promise<ImageConfig> {
  const text = await ask(engine, { method: "GET", path: `/images/${id}/json`, act: `image ${id.slice(0, 12)}` }, opts);
  const { Config: found, User } = parseJson(imageConfigSchema, text, "image");
  return {
    env: found?.Env ?? [],
    cmd: found?.Cmd ?? [],
    entrypoint: found?.Entrypoint ?? [],
    user: User ?? "",
    workdir: found?.WorkingDir ?? "",
  };
}

async function removeImage(engine: Engine, id: string, opts: CallOptions): Promise<boolean> {
  const path = `/images/${id}?force=false`;
  const act = `remove image ${id.slice(0, 12)}`;
  const { status, text } = await engine.client.request({ method: "DELETE", path, act, deadlineMs: COMMIT_MS, ...opts });
  if (status === 409) return false;
  if (status >= 300 && status !== 404) throw statusError({ act, method: "DELETE", path }, status, text);
  return true;
}

async function ask(
  { client }: Engine,
  request: Pick<LibpodRequest, "method" | "path" | "act"> & { readonly deadlineMs?: number },
  opts: CallOptions,
): Promise<string> {
  const { status, text } = await client.request({ deadlineMs: QUERY_MS, ...request, signal: opts.signal });
  if (status >= 300) throw statusError(request, status, text);
  return text;
}

function labelsOf(install: string): Record<string, string> {
  return { [INSTALL_LABEL]: buildOwner(install) };
}

/** What is being undone is told of by what undid it. */
async function passOver(undoing: Promise<unknown>): Promise<void> {
  try {
    await undoing;
  } catch (caught) {
    if (!(caught instanceof AppError) || hasCode(caught, "internal.bug")) throw caught;
  }
}

function tooLong(image: DerivedImage): AppError {
  return new AppError({
    code: "engine.image_failed",
    message: `its image with ${renderPackages(image.packages)} could not be made within ${BUILD_MS / 60_000} min`,
    hint: "see whether the package registries can be reached, then try again",
    retry: "retryable",
  });
}
