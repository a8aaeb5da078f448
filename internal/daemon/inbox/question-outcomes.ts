import type { QuestionOutcome } from "../../agents/index.ts";
import type { InboxActor, InboxItem, Job } from "../../job/index.ts";

/** Where outcomes are read from. */
interface OutcomeRecords {
  readonly jobs: { listAnswers(job: string, attempt: number): readonly string[] };
  readonly items: { find(id: string): InboxItem | null };
}

/** What came of the questions with whose outcome the job's present attempt begins, in its agent's words. @throws store.* */
export function readOutcomes(store: OutcomeRecords, { id, state }: Job): readonly QuestionOutcome[] {
  return store.jobs.listAnswers(id, state.attempt).flatMap((item) => {
    const found = store.items.find(item);
    return found ? [toOutcome(found)] : [];
  });
}

const GIVEN_BY: Readonly<Record<InboxActor, QuestionOutcome["by"]>> = {
  page: "person",
  cli: "person",
  default: "default",
  policy: "policy",
  system: "person",
};

function toOutcome({ title, state }: InboxItem): QuestionOutcome {
  if (state.phase === "answered") return { question: title, answer: state.answer, by: GIVEN_BY[state.by] };
  return { question: title, answer: null, by: state.phase === "done" ? "person" : "nobody" };
}
