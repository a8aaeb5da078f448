import type { JobDesk, LaneLink } from "../ports.ts";

/** What the dispatcher was told, and what it says. */
export interface FakeDesk<L extends LaneLink> extends JobDesk<L> {
  /** Lanes with a running job. */
  readonly jobs: Set<string>;
  /** Every call, as `resume`, `attach 3`, `dead 3`. */
  readonly said: string[];
  /** Does the dispatcher hand out jobs? */
  open(laneId: string): boolean;
  /** While true, a link cannot be taken over, as on a full disk. */
  refuses: Error | null;
}

/** A dispatcher; `onDeath` is called whenever it is told of one. */
export function createFakeDesk<L extends LaneLink>(onDeath: (laneId: string, generation: number) => void): FakeDesk<L> {
  const jobs = new Set<string>();
  const resumed = new Set<string>();
  const attached = new Set<string>();
  const said: string[] = [];
  const desk: FakeDesk<L> = {
    jobs,
    said,
    refuses: null,
    open: (laneId) => resumed.has(laneId) && attached.has(laneId),
    busy: (laneId) => jobs.has(laneId),
    attachLink: (link) => {
      if (desk.refuses) throw desk.refuses;
      attached.add(link.laneId);
      said.push(`attach ${link.generation}`);
    },
    detachLink: (laneId) => {
      attached.delete(laneId);
      said.push("detach");
    },
    onLaneDead: ({ laneId, generation }) => {
      said.push(`dead ${generation}`);
      onDeath(laneId, generation);
    },
    onLaneRemoved: (laneId) => {
      jobs.delete(laneId);
      said.push("removed");
    },
    pause: (laneId) => {
      resumed.delete(laneId);
      if (said.at(-1) !== "pause") said.push("pause");
    },
    resume: (laneId) => {
      resumed.add(laneId);
      said.push("resume");
    },
  };
  return desk;
}
