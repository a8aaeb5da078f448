export { createInbox, type Inbox } from "./inbox.ts";
export type { Raise } from "./system.ts";
