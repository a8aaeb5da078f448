export { type InboxDeps, runInbox } from "./run-inbox.ts";
