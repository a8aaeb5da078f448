/** What page and daemon settle about terminals. Without zod: the page loads this file. */

/** Subprotocol of a terminal's WebSocket; the one-time ticket stands beside it as a second one. */
export const TERMINAL_PROTOCOL = "lanekeeper-terminal-1";
/** So much may be under way in each direction before the other side has said that it has taken some. */
export const TERMINAL_WINDOW_BYTES = 512 * 1024;
/** Longest message of a page; it cuts what is pasted into such pieces. */
export const TERMINAL_INPUT_MAX_BYTES = 32 * 1024;
