import type { VNode } from "preact";
import { Dialog } from "./dialog.tsx";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** For how long an item can be put out of the way. */
const TIMES: readonly (readonly [string, (now: Date) => number])[] = [
  ["20 minutes", () => 20 * MINUTE],
  ["1 hour", () => HOUR],
  ["4 hours", () => 4 * HOUR],
  ["Until tomorrow, 8:00", (now) => untilMorning(now, 1)],
  ["Until Monday, 8:00", (now) => untilMorning(now, (8 - now.getDay()) % 7 || 7)],
];

/** The choice of how long to snooze; numbered, so that a digit chooses. */
export function SnoozeMenu(props: { readonly onSnooze: (forMs: number) => void; readonly onClose: () => void }): VNode {
  const snooze = (at: number) => {
    const time = TIMES[at];
    if (!time) return;
    props.onSnooze(time[1](new Date()));
    props.onClose();
  };
  return (
    <Dialog title="Snooze" onClose={props.onClose}>
      <ol class="choices" onKeyDown={(event) => snooze(Number(event.key) - 1)}>
        {TIMES.map(([label], at) => (
          <li key={label}>
            <button type="button" class="button choice" autofocus={at === 0} onClick={() => snooze(at)}>
              <kbd>{at + 1}</kbd>
              <span>{label}</span>
            </button>
          </li>
        ))}
      </ol>
    </Dialog>
  );
}

function untilMorning(now: Date, days: number): number {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, 8).getTime() - now.getTime();
}
