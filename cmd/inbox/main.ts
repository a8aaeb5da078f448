import { systemClock } from "../../internal/base/index.ts";
import { runInbox } from "../../internal/worker/inbox/index.ts";

// The program through which agents in a lane call the host. Small and alone in its bundle: it starts often.
const done = runInbox(process.argv.slice(2), {
  apiUrl: process.env.INBOX_API_URL,
  clock: systemClock,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
});
void done.then((code) => {
  process.exitCode = code;
});
