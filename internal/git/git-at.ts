import type { GitCall } from "./hardened-git.ts";

/** Git in one git dir, whose output is bytes, one in each character. */
export type Call = (
  args: readonly string[],
  more?: Partial<GitCall>,
) => Promise<{ readonly stdout: string; readonly cut: boolean }>;
