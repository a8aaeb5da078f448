import type { ParserSpeed } from "./agents.ts";
import { type Figure, type Measured, toFigures } from "./figures.ts";
import type { GitResult } from "./git.ts";
import type { JobsResult } from "./jobs.ts";
import { type Summary, summarise, type VariantName } from "./measure.ts";

const TITLES: Readonly<Record<VariantName, string>> = {
  "plain.warm": "plain warm check: exists + inspect + port by CLI, probe",
  "our.warm": "our warm check: POST ensure, kept connection",
  "our.warm.new": "our warm check: POST ensure, new connection",
  "plain.cold": "plain cold start: seven CLI calls, probe every 100 ms",
  "our.cold": "our cold start: POST start, container absent",
  "bare.cold": "bare libpod: create + start + inspect + probe, same spec",
  "trivial.cold": "bare libpod, same spec, trivial worker",
  "podman.run": "podman run --rm true",
  "podman.exec": "podman exec true",
  "link.ping": "link round trip",
  "job.true": "durable job true: POST to last event",
  death: "kill -9 of a worker until /v1/events says so",
};

/** The whole report as text: what was measured, the figures with their targets, and what was missed. */
export function renderReport(measured: Measured): string {
  const figures = toFigures(measured);
  const missed = figures.filter((figure) => !figure.met);
  return [
    "",
    "Measured, ms: median (least - greatest), number",
    ...renderTable(measuredRows(measured)),
    "",
    ...renderLoad(measured),
    "",
    "Figures",
    ...renderTable(figures.map(figureRow)),
    "",
    ...missed.map(({ id, title, value, unit, target }) => {
      return `MISSED  ${id}  ${title}: ${number(value)}${unit}, wanted ${target.is} ${target.bound}${unit}`;
    }),
    `${figures.length - missed.length} of ${figures.length} targets met${missed.length > 0 ? `, ${missed.length} MISSED` : ""}`,
    "",
  ].join("\n");
}

function measuredRows({
  samples,
  parts,
  fleet,
  idle,
  jobs,
  agents,
  git,
  fingerprintMs,
}: Measured): readonly (readonly string[])[] {
  const rows = Object.entries(TITLES).flatMap(([name, title]) => [
    ...timeRow(title, samples[name as VariantName]),
    ...Object.entries(parts).flatMap(([part, values]) =>
      part.startsWith(`${name}:`) ? timeRow(`  ${part.slice(name.length + 2)}`, values) : [],
    ),
  ]);
  const more = [...timeRow("fingerprint of a lane spec", fingerprintMs)];
  if (fleet) {
    more.push(
      ...timeRow(`${fleet.lanes} lanes, one by one`, fleet.oneByOneMs),
      ...timeRow(`${fleet.lanes} lanes, ${fleet.concurrency} at once`, fleet.togetherMs),
    );
  }
  const mb = (value: number) => `${number(value)} MB`;
  const idleRows = idle
    ? [
        [
          `laned, idle with ${idle.lanes} lanes for ${Math.round(idle.seconds)} s`,
          load(idle.lanedCpu, idle.lanedRssMb),
        ],
        ...(idle.podmanCpu === null
          ? []
          : [["podman service beside it", load(idle.podmanCpu, idle.podmanRssMb ?? Number.NaN)]]),
        [
          "per lane: worker PSS, its RSS, conmon PSS",
          [idle.workerPssMb, idle.workerRssMb, idle.conmonPssMb].map(mb).join(", "),
        ],
      ]
    : [];
  return [
    ...rows,
    ...more,
    ...idleRows,
    ...(jobs ? jobRows(jobs) : []),
    ...(agents ?? []).flatMap(agentRows),
    ...(git ? gitRows(git) : []),
  ];
}

function gitRows(git: GitResult): readonly (readonly string[])[] {
  const of = `${git.size.files} files, ${git.size.commits} commits:`;
  return [
    ...timeRow(`${of} git worktree add`, git.worktreeMs),
    ...timeRow("  a lane's cold start, of a small repository", git.coldMs),
    ...timeRow("  lane add, until ready", git.addMs),
    ...timeRow("  one commit: POST sync until the host's branch and index have it", git.importMs),
    ...timeRow("  one commit: POST sync until its answer", git.syncMs),
    ...timeRow("  nothing new: POST sync until its answer", git.nothingNewMs),
    ...timeRow("  git diff --stat", git.gitDiffMs),
    ...timeRow("  git diff --stat, then git ls-files --others", git.gitBothMs),
    ...timeRow("  the daemon's answer to the same", git.apiDiffMs),
    ...timeRow("  lane diff --stat", git.laneDiffMs),
  ];
}

function agentRows({ agent, bytes, lines, ms }: ParserSpeed): readonly (readonly string[])[] {
  const s = (summarise(ms)?.median ?? Number.NaN) / 1000;
  const title = `${agent}'s stream, ${Math.round(bytes / lines)} bytes a line, ${Math.round(bytes / 1e6)} MB`;
  return [...timeRow(title, ms), ["  per s", `${number(lines / s)} lines, ${number(bytes / s / 1e6)} MB`]];
}

function jobRows({ accept, output, flow, record }: JobsResult): readonly (readonly string[])[] {
  const lines = `a job printing ${output.lines} lines`;
  const s = (summarise(output.ms)?.median ?? Number.NaN) / 1000;
  const events = summarise(output.events)?.median ?? Number.NaN;
  const rates = [
    `${number(output.lines / s)} lines`,
    `${number(events / s)} events`,
    `${number(output.bytes / s / 1e6)} MB`,
  ];
  const read = `${record.events} events of ${record.jobs} jobs stored:`;
  return [
    ...timeRow("durable job true: POST to its `started` event", accept.startedMs),
    ...timeRow("  the same by the event's own time", accept.stampedMs),
    ...timeRow("podman exec true in that lane, in between", accept.execMs),
    ...timeRow(`${lines}: POST to its end`, output.ms),
    [`  ${events} output events; per s`, rates.join(", ")],
    ...timeRow(`${flow.events} one-line events, spooled one by one`, flow.spoolMs),
    ...timeRow(`${flow.events} one-line events, spool to store`, flow.flowMs),
    ...timeRow(`${read} a job's last page`, record.jobEventsMs),
    ...timeRow(`${read} the lane's last page of jobs`, record.laneJobsMs),
    ...timeRow(`${read} the lane's last page of events`, record.laneEventsMs),
  ];
}

/** Ratios hold on a busy machine too, but only roughly: whoever reads them should know. */
function renderLoad({ load, machine }: Measured): readonly string[] {
  const [before, after] = load;
  const busy = Math.max(before, after) > machine.cores / 2 ? "; others are at work here, so take ratios as rough" : "";
  return [`${machine.cores} cores, load ${number(before)} before and ${number(after)} after${busy}`];
}

function timeRow(title: string, values: readonly number[] | undefined): readonly (readonly string[])[] {
  const summary = summarise(values);
  return summary ? [[title, renderSummary(summary), `n=${summary.n}`]] : [];
}

function renderSummary({ median, min, max }: Summary): string {
  return `${number(median)} (${number(min)} - ${number(max)})`;
}

function load(cpu: number, rssMb: number): string {
  return `CPU ${number(cpu)} % of a core, RSS ${number(rssMb)} MB`;
}

function figureRow({ id, title, of, value, unit, target, met }: Figure): readonly string[] {
  const parts = of ? of.map(({ median }) => number(median)).join(" / ") : "";
  const wanted = `${target.is} ${target.bound}${unit}`;
  return [id, title, parts, `${number(value)}${unit}`, wanted, met ? "met" : "MISSED"];
}

/** Three significant digits. */
function number(value: number): string {
  if (!Number.isFinite(value)) return "?";
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 3));
}

function renderTable(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows.reduce<number[]>((all, row) => row.map((cell, i) => Math.max(all[i] ?? 0, cell.length)), []);
  return rows.map(
    (row) =>
      `  ${row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd()}`,
  );
}
