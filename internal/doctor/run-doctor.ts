import { AppError, toError } from "../base/index.ts";
import type { Check } from "./check.ts";
import { evaluateChecks } from "./checks.ts";
import type { DoctorPodmanFacts, HostFacts } from "./facts.ts";
import { planRepairs, type Repair, renderRepair } from "./repairs.ts";

type CallOptions = { readonly signal?: AbortSignal | undefined };

/** Everything doctor needs from outside. */
export interface DoctorProbes {
  /** Looks at the machine: {@link observeHost} with its input bound. */
  observeHost(opts: CallOptions): Promise<HostFacts>;
  /** Asks Podman. May throw: that becomes an unreachable engine. Must work without an engine. */
  observePodman(opts: CallOptions): Promise<DoctorPodmanFacts>;
  /** Carries out a repair: {@link execRepair}. Called only with `fix`. */
  repair(repair: Repair, opts: CallOptions): Promise<void>;
}

/** What doctor found; `ok` means no check failed. */
export interface DoctorReport {
  readonly ok: boolean;
  readonly checks: readonly Check[];
  /** What `--fix` did, one line each; a repair that failed says why. */
  readonly repairs: readonly string[];
}

/**
 * Looks at the machine and the engine and judges both. With `fix`, mends what can be mended without asking and looks
 * again. @throws cancelled
 */
export async function runDoctor(
  probes: DoctorProbes,
  opts: CallOptions & { readonly fix?: boolean | undefined } = {},
): Promise<DoctorReport> {
  const { signal } = opts;
  const [seen, podman] = await Promise.all([probes.observeHost({ signal }), observeSafely(probes, { signal })]);
  let host = seen;
  const repairs: string[] = [];
  for (const repair of opts.fix ? planRepairs(host) : []) repairs.push(await tryRepair(probes, repair, { signal }));
  if (repairs.length > 0) host = await probes.observeHost({ signal });
  const checks = evaluateChecks({ host, podman });
  return {
    ok: checks.every((check) => check.level !== "fail"),
    checks,
    repairs,
  };
}

async function tryRepair(probes: DoctorProbes, repair: Repair, opts: CallOptions): Promise<string> {
  try {
    await probes.repair(repair, opts);
    return `done: ${renderRepair(repair)}`;
  } catch (caught) {
    return `failed: ${renderRepair(repair)}: ${toError(caught).message}`;
  }
}

async function observeSafely(probes: DoctorProbes, opts: CallOptions): Promise<DoctorPodmanFacts> {
  try {
    return await probes.observePodman(opts);
  } catch (caught) {
    opts.signal?.throwIfAborted();
    const hint = caught instanceof AppError ? (caught.hint ?? null) : null;
    return {
      engine: { kind: "unreachable", message: toError(caught).message, hint },
      profile: null,
      image: null,
      storage: null,
    };
  }
}
