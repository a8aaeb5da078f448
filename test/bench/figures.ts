import type { ParserSpeed } from "./agents.ts";
import type { FleetResult } from "./fleet.ts";
import type { GitResult } from "./git.ts";
import type { IdleResult } from "./idle.ts";
import type { JobsResult } from "./jobs.ts";
import { percentile, type Samples, type Summary, summarise, type VariantName } from "./measure.ts";
import type { Parts } from "./variants.ts";

/** Everything that was measured. `load`: the machine's load average over a minute, before and after. */
export interface Measured {
  readonly samples: Samples;
  readonly parts: Parts;
  readonly fleet: FleetResult | null;
  readonly idle: IdleResult | null;
  readonly jobs: JobsResult | null;
  readonly agents: readonly ParserSpeed[] | null;
  readonly git: GitResult | null;
  /** Of one lane's spec, ms. */
  readonly fingerprintMs: readonly number[];
  readonly load: readonly [number, number];
  readonly machine: { readonly cores: number; readonly node: string; readonly podman: string | null };
}

/** A number that is held to a target, with what it was made of. */
export interface Figure {
  readonly id: string;
  readonly title: string;
  /** What is divided by what; null where the value stands for itself. */
  readonly of: readonly [Summary, Summary] | null;
  readonly value: number;
  readonly unit: "x" | "%" | "MB" | "ms" | "/s" | "";
  readonly target: { readonly is: "at least" | "at most"; readonly bound: number };
  readonly met: boolean;
}

type Target = Figure["target"];

const RATIOS: readonly (readonly [string, string, VariantName, VariantName, Target])[] = [
  ["1", "plain warm check / ours", "plain.warm", "our.warm", { is: "at least", bound: 40 }],
  ["2", "plain cold start / ours", "plain.cold", "our.cold", { is: "at least", bound: 2.4 }],
  ["3", "our cold start / trivial worker", "our.cold", "trivial.cold", { is: "at most", bound: 1.3 }],
  ["4", "our cold start / bare libpod calls", "our.cold", "bare.cold", { is: "at most", bound: 1.15 }],
  ["5", "podman exec true / link round trip", "podman.exec", "link.ping", { is: "at least", bound: 200 }],
  ["6", "podman exec true / durable job true", "podman.exec", "job.true", { is: "at least", bound: 5 }],
];

/** Every figure that could be taken. */
export function toFigures({ samples, fleet, idle, jobs, agents, git }: Measured): readonly Figure[] {
  const ratios = RATIOS.flatMap(([id, title, over, under, target]) =>
    ratio({ id, title, target }, summarise(samples[over]), summarise(samples[under])),
  );
  return [
    ...ratios,
    ...(fleet ? fleetFigures(fleet) : []),
    ...(idle ? idleFigures(idle) : []),
    ...(jobs ? jobFigures(jobs) : []),
    ...(agents ?? []).flatMap(parserFigures),
    ...(git ? gitFigures(git) : []),
  ];
}

function fleetFigures(fleet: FleetResult): readonly Figure[] {
  const { lanes, concurrency, errors, sharedPorts } = fleet;
  const head = { id: "7", title: `${lanes} lanes, ${concurrency} at once / one by one` };
  const target: Target = { is: "at most", bound: 0.7 };
  const none: Target = { is: "at most", bound: 0 };
  return [
    ...ratio({ ...head, target }, summarise(fleet.togetherMs), summarise(fleet.oneByOneMs)),
    plain({ id: "7a", title: "lanes that did not come up", value: errors.length, unit: "", target: none }),
    plain({ id: "7b", title: "ports shared", value: sharedPorts, unit: "", target: none }),
  ];
}

function idleFigures({ lanes, lanedCpu, lanedRssMb }: IdleResult): readonly Figure[] {
  const of = `laned idle with ${lanes} lanes:`;
  return [
    plain({ id: "8", title: `${of} CPU`, value: lanedCpu, unit: "%", target: { is: "at most", bound: 1 } }),
    plain({ id: "8a", title: `${of} RSS`, value: lanedRssMb, unit: "MB", target: { is: "at most", bound: 120 } }),
  ];
}

function jobFigures({ accept, flow, record }: JobsResult): readonly Figure[] {
  const within = (id: string, title: string, value: number, bound: number) =>
    plain({ id, title, value, unit: "ms", target: { is: "at most", bound } });
  const started = "POST of a durable job to its process started:";
  const perS = flow.events / ((summarise(flow.flowMs)?.median ?? Number.NaN) / 1000);
  const of = "of 1 M stored events, p99 of a read:";
  return [
    within("9", `${started} p50`, percentile(accept.startedMs, 0.5), 15),
    within("9a", `${started} p99`, percentile(accept.startedMs, 0.99), 60),
    plain({
      id: "10",
      title: "events per s through worker, link and store",
      value: perS,
      unit: "/s",
      target: { is: "at least", bound: 50_000 },
    }),
    within("11", `${of} a job's last events`, percentile(record.jobEventsMs, 0.99), 10),
    within("11a", `${of} the lane's last jobs`, percentile(record.laneJobsMs, 0.99), 10),
    within("11b", `${of} the lane's last events`, percentile(record.laneEventsMs, 0.99), 10),
  ];
}

function parserFigures({ agent, bytes, events, ms, grownMb }: ParserSpeed, n: number): readonly Figure[] {
  const suffix = ["", "a", "b"][n] ?? "";
  const value = events / ((summarise(ms)?.median ?? Number.NaN) / 1000);
  const of = `${agent}'s stream:`;
  const memory = `${of} growth of memory over ${Math.round(bytes / 1e6)} MB`;
  return [
    plain({
      id: `12${suffix}`,
      title: `${of} events per s`,
      value,
      unit: "/s",
      target: { is: "at least", bound: 200_000 },
    }),
    plain({ id: `13${suffix}`, title: memory, value: grownMb, unit: "MB", target: { is: "at most", bound: 32 } }),
  ];
}

function gitFigures({
  size,
  worktreeMs,
  coldMs,
  addMs,
  importMs,
  gitDiffMs,
  gitBothMs,
  apiDiffMs,
  laneDiffMs,
}: GitResult): readonly Figure[] {
  const median = (values: readonly number[]) => summarise(values)?.median ?? Number.NaN;
  const of = `${size.files} files, ${size.commits} commits:`;
  // What `lane add` takes beyond a lane's start, against the plain way to a worktree.
  const beyond = summarise(addMs.map((ms) => ms - median(coldMs)));
  return [
    ...ratio(
      { id: "14", title: `${of} (lane add - cold start) / git worktree add`, target: { is: "at most", bound: 2.5 } },
      beyond,
      summarise(worktreeMs),
    ),
    plain({
      id: "15",
      title: `${of} one commit taken over`,
      value: median(importMs),
      unit: "ms",
      target: { is: "at most", bound: 150 },
    }),
    ...ratio(
      { id: "16", title: `${of} lane diff --stat / git diff --stat`, target: { is: "at most", bound: 1.5 } },
      summarise(laneDiffMs),
      summarise(gitDiffMs),
    ),
    ...ratio(
      { id: "16a", title: `${of} the daemon's part / git, new files as well`, target: { is: "at most", bound: 1.5 } },
      summarise(apiDiffMs),
      summarise(gitBothMs),
    ),
  ];
}

function ratio(
  head: Pick<Figure, "id" | "title" | "target">,
  over: Summary | null,
  under: Summary | null,
): readonly Figure[] {
  if (!over || !under) return [];
  const value = over.median / under.median;
  return [{ ...head, of: [over, under], value, unit: "x", met: isMet(value, head.target) }];
}

function plain(figure: Omit<Figure, "of" | "met">): Figure {
  return { ...figure, of: null, met: isMet(figure.value, figure.target) };
}

function isMet(value: number, { is, bound }: Target): boolean {
  return is === "at least" ? value >= bound : value <= bound;
}
