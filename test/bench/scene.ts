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
  await using stack = new AsyncDisposableStack();
  const run = randomBytes(4).toString("hex");
  stack.defer(() => sweepLabel(`${BENCH_LABEL}=${run}`));
  const home = stack.use(await newInstallation());
  const socket = (name: string) => join(home.env.XDG_RUNTIME_DIR as string, "lanekeeper", name);
  await home.up();
  const api = stack.use(createDaemonApi(socket("api.sock"), { keepAlive: true }));
  const apiOnce = stack.use(createDaemonApi(socket("api.sock"), { keepAlive: false }));
  await api.addWorkspace(await home.repository(), opts);
  const addReady = async (name: string) => api.bringUp((await api.addLane(name, opts)).id, "ensure", opts);
  const lanes = { warm: await addReady("warm"), cold: await addReady("cold"), mortal: await addReady("mortal") };
  const status = await api.status(opts);
  const { address } = status.engine;
  const imageId = status.image?.id;
  if (!address || !imageId) throw new Error(`no engine or no image: ${JSON.stringify(status)}`);
  // A service of the daemon's own would outlive it by a minute.
  if (status.engine.own) stack.defer(() => stopOwnService(socket("podman.sock")));
  const profile = readProfile(join(home.stateDir, "engine.json"))?.profile;
  const cli = createPodmanCli(profile ?? { runtime: null, nofile: null, nproc: null });
  const scene = {
    prefix: `lkb-${run}`,
    labels: { [BENCH_LABEL]: run },
    home,
    api,
    apiOnce,
    status,
    cli,
    libpod: stack.use(createLibpod(address)),
    imageId,
    lanes,
    credentials: await makeCredentials(join(home.dir, "credentials")),
  };
  const undo = stack.move();
  return { ...scene, [Symbol.asyncDispose]: () => undo.disposeAsync() };
}

async function makeCredentials(folder: string): Promise<string> {
  await mkdir(folder);
  for (let n = 1; n <= 5; n++) await writeFile(join(folder, `credential-${n}.json`), randomBytes(2048).toString("hex"));
  await chmod(folder, 0o755);
  return folder;
}
