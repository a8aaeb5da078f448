import { type Check, fail, isAtLeast, ok, warn } from "./check.ts";
import type { DoctorFacts, DoctorProfile } from "./facts.ts";

/** A lane's worker is a bundle for this Node. */
const LANE_NODE_MINIMUM = "20.0.0";

/** Judges the engine's service, what it can start, and the runtime image. */
export function checkEngine(facts: DoctorFacts): readonly Check[] {
  const { engine, profile, image } = facts.podman;
  if (engine.kind === "unreachable") {
    const fix = engine.hint ?? "see that `podman info` works, then `lane doctor` again";
    return [fail("engine.reachable", "Podman service", engine.message, fix)];
  }
  const whose = engine.own ? "started by laned" : "already running";
  const checks: Check[] = [
    ok("engine.reachable", "Podman service", `${engine.version} at ${engine.address}, ${whose}`),
    checkLimits(facts, engine),
    checkImage(image),
  ];
  if (engine.networkBackend !== "netavark") {
    checks.push(
      warn(
        "engine.network",
        "network backend",
        `${engine.networkBackend}: lanes are isolated from each other by netavark only`,
        'set `network_backend = "netavark"` in containers.conf and run `podman system reset`',
      ),
    );
  }
  if (profile !== null) checks.push(checkProfile(profile));
  return checks;
}

function checkProfile(profile: DoctorProfile): Check {
  const [id, title] = ["engine.profile", "engine profile"];
  const failed = profile.tries.filter((item) => item.error !== null).map((item) => `${item.name}: ${item.error}`);
  if (profile.runtime === null) {
    return fail(
      id,
      title,
      `no container could be started (${failed.join("; ")})`,
      "install runc, or mend what the tries report",
    );
  }
  const ulimits = Object.entries(profile.ulimits).map(([name, value]) => `${name}=${value}`);
  const settings = [
    `runtime ${profile.runtime}`,
    ulimits.length > 0 ? `ulimits ${ulimits.join(" ")}` : "default ulimits",
  ];
  const tries = failed.length > 0 ? ` (${failed.length} other ways did not work: --json names them)` : "";
  return ok(id, title, `${settings.join(", ")}${tries}`, failed);
}

function checkLimits(
  { host }: DoctorFacts,
  engine: { readonly rootless: boolean; readonly limitsEffective: boolean },
): Check {
  const [id, title] = ["engine.limits", "resource limits"];
  const where = `cgroups ${host.cgroups}, ${engine.rootless ? "rootless" : "rootful"}`;
  return engine.limitsEffective
    ? ok(id, title, `take effect (${where})`)
    : warn(
        id,
        title,
        `memory, cpu and pids limits of lanes are ignored (${where})`,
        "boot with cgroups v2 (systemd.unified_cgroup_hierarchy=1)",
      );
}

/** A checkout has a Makefile; where npm has put Lanekeeper the script itself is run. */
const BUILD_IMAGE = "run `make image`, or `$(npm root -g)/lanekeeper/runtime-image/build-image.sh`";

function checkImage(image: DoctorFacts["podman"]["image"]): Check {
  const [id, title, build] = ["image.present", "runtime image", BUILD_IMAGE];
  if (image === null) return warn(id, title, "not looked for", "see that the Podman service answers");
  if (image.id === null) return fail(id, title, `${image.reference} is not there`, build);
  const short = `${image.reference} ${image.id.slice(0, 12)}`;
  if (image.nodeVersion === null) return warn(id, title, `${short}, its Node is not known`, `${build} again`);
  return isAtLeast(image.nodeVersion, LANE_NODE_MINIMUM)
    ? ok(id, title, `${short}, Node ${image.nodeVersion}`)
    : fail(id, title, `${short} has Node ${image.nodeVersion}, older than ${LANE_NODE_MINIMUM}`, `${build} again`);
}
