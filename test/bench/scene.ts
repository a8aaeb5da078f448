import { randomBytes } from "node:crypto";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readProfile, stopOwnService } from "../../internal/podman/index.ts";
import type { ApiLane, ApiStatus } from "../../internal/protocol/index.ts";
import { type Installation, newInstallation } from "../support/installation.ts";
import { sweepLabel } from "../support/podman-setup.ts";
import { createDaemonApi, type DaemonApi } from "./daemon-api.ts";
import { createLibpod, type Libpod } from "./libpod.ts";
import { createPodmanCli, type PodmanCli } from "./podman-cli.ts";

/** On every container, network and volume that a bench makes itself; the value is the run's id. */
const BENCH_LABEL = "io.lanekeeper.bench";

/** Everything the figures are taken in: an installation of its own with its daemon, and the bare engine beside it. */
export interface Scene extends AsyncDisposable {
  /** Begins the name of everything the bench makes itself. */
  readonly prefix: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly home: Installation;
  readonly api: DaemonApi;
  /** The same daemon, a new connection per call. */
  readonly apiOnce: DaemonApi;
  readonly status: ApiStatus;
  readonly cli: PodmanCli;
  readonly libpod: Libpod;
  readonly imageId: string;
  /** A lane for each purpose, all ready. */
  readonly lanes: { readonly warm: ApiLane; readonly cold: ApiLane; readonly mortal: ApiLane };
  /** Five files as agents have them, 4 KB each. */
  readonly credentials: string;
}

/** Builds the scene. Disposing removes every trace of it; so does a failure on the way. */
export async function openScene(opts: { readonly signal: AbortSignal }): Promise<Scene> {
  const undo: (() => PromiseLike<void>)[] = [];
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    return { ...(await build(undo, opts)), [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Leaves on `undo` how to take away what it has made so far. */
async function build(
  undo: (() => PromiseLike<void>)[],
  opts: { readonly signal: AbortSignal },
): Promise<Omit<Scene, typeof Symbol.asyncDispose>> {
  const use = <T extends AsyncDisposable>(made: T): T => {
    undo.push(() => made[Symbol.asyncDispose]());
    return made;
  };
  const run = randomBytes(4).toString("hex");
  const home = use(await newInstallation());
  const socket = (name: string) => join(home.env.XDG_RUNTIME_DIR as string, "lanekeeper", name);
  undo.push(async () => {
    await home.lane(["down"]);
    // A service of the daemon's own would outlive it by a minute.
    await stopOwnService(socket("podman.sock"));
  });
  undo.push(() => sweepLabel(`${BENCH_LABEL}=${run}`));
  await home.up();
  const api = use(createDaemonApi(socket("api.sock"), { keepAlive: true }));
  const apiOnce = use(createDaemonApi(socket("api.sock"), { keepAlive: false }));
  await api.addWorkspace(await home.repository(), opts);
  const addReady = async (name: string) => api.bringUp((await api.addLane(name, opts)).id, "ensure", opts);
  const lanes = { warm: await addReady("warm"), cold: await addReady("cold"), mortal: await addReady("mortal") };
  const status = await api.status(opts);
  const { address } = status.engine;
  const imageId = status.image?.id;
  if (!address || !imageId) throw new Error(`no engine or no image: ${JSON.stringify(status)}`);
  const profile = readProfile(join(home.stateDir, "engine.json"))?.profile;
  const cli = createPodmanCli(profile ?? { runtime: null, nofile: null, nproc: null });
  return {
    prefix: `lkb-${run}`,
    labels: { [BENCH_LABEL]: run },
    home,
    api,
    apiOnce,
    status,
    cli,
    libpod: use(createLibpod(address)),
    imageId,
    lanes,
    credentials: await makeCredentials(join(home.dir, "credentials")),
  };
}

async function makeCredentials(folder: string): Promise<string> {
  await mkdir(folder);
  for (let n = 1; n <= 5; n++) await writeFile(join(folder, `credential-${n}.json`), randomBytes(2048).toString("hex"));
  await chmod(folder, 0o755);
  return folder;
}
