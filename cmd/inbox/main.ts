import { randomUUID } from "node:crypto";
import { text } from "node:stream/consumers";
import { systemClock } from "../../internal/base/index.ts";
import { runInbox } from "../../internal/worker/inbox/index.ts";

// The program through which agents in a lane call the host. Small and alone in its bundle: it starts often.
const done = runInbox(process.argv.slice(2), {
  apiUrl: process.env.INBOX_API_URL,
  clock: systemClock,
  out: (data) => process.stdout.write(data),
  err: (data) => process.stderr.write(data),
  readStdin: () => text(process.stdin),
  newKey: randomUUID,
  cwd: process.cwd(),
  workspace: process.env.INBOX_WORKSPACE ?? "/workspace",
});
void done.then((code) => {
  process.exitCode = code;
});
