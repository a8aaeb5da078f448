/** The short run for every commit, or with FULL=1 the long one. */
export const FULL = process.env.FULL === "1";
