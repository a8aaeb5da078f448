import { inject, TestRunner } from "vitest";
import { RUN_VARIABLE } from "./podman-setup.ts";

/** The parts of vitest's tasks that are looked at. */
interface AnyTask {
  mode: string;
  readonly tasks?: readonly AnyTask[];
}

/**
 * Gives the tests the run's id and folder (what they start inherits both). When Podman is missing it skips every
 * test, hooks included, so that they are shown as skipped and not as failed.
 */
// biome-ignore lint/style/noDefaultExport: vitest wants a runner so
export default class PodmanRunner extends TestRunner {
  constructor(...args: ConstructorParameters<typeof TestRunner>) {
    super(...args);
    const run = inject("podman");
    if (run.kind === "missing") return;
    process.env.TMPDIR = run.folder;
    process.env[RUN_VARIABLE] = run.id;
  }

  onBeforeRunFiles(files: readonly AnyTask[]): void {
    if (inject("podman").kind === "missing") for (const file of files) skip(file);
  }
}

function skip(task: AnyTask): void {
  task.mode = "skip";
  for (const inner of task.tasks ?? []) skip(inner);
}
