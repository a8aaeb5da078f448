export { runInbox } from "./run-inbox.ts";
export type { InboxDeps } from "./session.ts";
