import { readFileSync, writeFileSync } from "node:fs";
import * as z from "zod";
import { AppError, hasCode } from "../base/index.ts";
import {
  type ProfileTry,
  type RuntimeProfile,
  readHardLimits,
  type TrialService,
  tryProfiles,
} from "./engine-profile.ts";
import { type FoundService, findService, type ServiceSearch, stopOwnService } from "./find-service.ts";
import { type CallOptions, createPodmanRuntime, type PodmanFacts, type PodmanRuntime } from "./podman-runtime.ts";

/** Where the engine is looked for, and where what works is remembered. */
export interface EngineSettings extends Omit<ServiceSearch, "ownRuntime"> {
  readonly profileFile: string;
  /** Runtimes installed on this machine, best first. */
  readonly runtimes: readonly string[];
  /** Set by the configuration: no trial is made for what is given here. */
  readonly forced: Partial<RuntimeProfile> | null;
}

const storedSchema = z.object({
  version: z.string(),
  own: z.boolean(),
  profile: z.object({ runtime: z.string().nullable(), nofile: z.number().nullable(), nproc: z.number().nullable() }),
  tries: z.array(z.object({ profile: z.looseObject({}), error: z.string().nullable() })).default([]),
});

/** What a trial has found, as it is remembered. */
export type StoredProfile = z.infer<typeof storedSchema>;

/** How lanes are made with this engine. */
export type EngineProfile = RuntimeProfile & Pick<PodmanFacts, "rootless" | "selinux" | "limitsEffective">;

/** A connection to the engine, as the supervisor's port describes it. */
export interface PodmanConnection {
  readonly runtime: PodmanRuntime;
  readonly facts: PodmanFacts;
  readonly own: boolean;
  profile(opts: CallOptions & { readonly imageId: string }): Promise<EngineProfile>;
  close(): Promise<void>;
}

/**
 * Connects to the engine; see {@link findService} for where it is looked for.
 * @throws engine.unavailable, engine.refused
 */
export async function connectEngine(settings: EngineSettings, opts: CallOptions): Promise<PodmanConnection> {
  const stored = readProfile(settings.profileFile);
  const ownRuntime = settings.forced?.runtime ?? stored?.profile.runtime ?? null;
  const service = await findService({ ...settings, ownRuntime }, opts);
  const runtime = createPodmanRuntime(service);
  try {
    const facts = await runtime.facts(opts);
    let known = profileFor(settings, stored, facts, service);
    // The same object for every call, so that who builds on it sees at a glance that nothing has changed.
    let profile: EngineProfile | null = null;
    let finding: Promise<RuntimeProfile> | null = null;
    // All lanes of a new installation ask at once: one trial answers them all. After one that had the service started
    // again this connection is of no more use, and none is made on it.
    const find = (call: CallOptions & { readonly imageId: string }): Promise<RuntimeProfile> => {
      finding ??= findAndStore(settings, service, runtime, facts, call).catch((error: unknown) => {
        if (!hasCode(error, "engine.unavailable")) finding = null;
        throw error;
      });
      return finding;
    };
    return {
      runtime,
      facts,
      own: service.own,
      async profile(call) {
        if (profile) return profile;
        known ??= await find(call);
        const { rootless, selinux, limitsEffective } = facts;
        profile = { ...known, rootless, selinux, limitsEffective };
        return profile;
      },
      close: () => runtime.close(),
    };
  } catch (error) {
    await runtime.close();
    throw error;
  }
}

/** What is remembered counts for the engine it was found on only. */
function profileFor(
  settings: EngineSettings,
  stored: StoredProfile | null,
  facts: PodmanFacts,
  service: FoundService,
): RuntimeProfile | null {
  const { forced } = settings;
  if (forced?.nofile != null && forced.nproc != null)
    return { runtime: forced.runtime ?? null, nofile: forced.nofile, nproc: forced.nproc };
  return stored && stored.version === facts.version && stored.own === service.own ? stored.profile : null;
}

async function findAndStore(
  settings: EngineSettings,
  service: FoundService,
  runtime: PodmanRuntime,
  facts: PodmanFacts,
  opts: CallOptions & { readonly imageId: string },
): Promise<RuntimeProfile> {
  const services: TrialService[] = [{ runtime: settings.forced?.runtime ?? null, use: (fn) => fn(runtime) }];
  if (service.own && !settings.forced?.runtime) {
    services.push(...settings.runtimes.map((name) => ({ runtime: name, use: temporaryService(settings, name, opts) })));
  }
  const tries = await tryProfiles(
    { imageId: opts.imageId, services, hard: readHardLimits(), owner: `trial:${settings.ownSocket}` },
    opts,
  );
  const last = tries.at(-1);
  if (!last || last.error !== null) throw noProfile(service, tries);
  const stored: StoredProfile = {
    version: facts.version,
    own: service.own,
    profile: last.profile,
    tries: tries.map((t) => ({ profile: { ...t.profile }, error: t.error })),
  };
  writeFileSync(settings.profileFile, `${JSON.stringify(stored, null, 2)}\n`, { mode: 0o600 });
  if (last.profile.runtime === null || last.profile.runtime === settings.forced?.runtime) return last.profile;
  await stopOwnService(settings.ownSocket);
  throw new AppError({
    code: "engine.unavailable",
    message: `podman's service is started again with the runtime that works here, ${last.profile.runtime}`,
    hint: "nothing to do: it is back in a moment",
    retry: "retryable",
  });
}

/** A service beside the real one, for as long as the trial takes. */
function temporaryService(settings: EngineSettings, runtime: string, opts: CallOptions): TrialService["use"] {
  return async (fn) => {
    const ownSocket = `${settings.ownSocket}.trial`;
    const search = { ...settings, configured: null, userRuntimeDir: null, uid: -1, ownSocket, ownRuntime: runtime };
    const engine = createPodmanRuntime(await findService(search, opts));
    try {
      return await fn(engine);
    } finally {
      await engine.close();
      await stopOwnService(ownSocket);
    }
  };
}

function noProfile(service: FoundService, tries: readonly ProfileTry[]): AppError {
  const last = tries.at(-1)?.error ?? "nothing was tried";
  return new AppError({
    code: "engine.refused",
    message: `no container starts on this machine: ${last}`,
    hint: service.own
      ? "see every try: lane doctor"
      : `the service at ${service.address} is not ours to configure: set runtime and default_ulimits in containers.conf, restart it, and: lane doctor`,
    details: { tries },
  });
}

/** What an earlier trial found; null when there was none, or its record cannot be read (then it is tried again). */
export function readProfile(file: string): StoredProfile | null {
  try {
    return storedSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return null;
  }
}
