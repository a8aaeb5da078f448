import { readFileSync } from "node:fs";

/**
 * Bytes of memory that can be had without swapping, by the kernel's own estimate (`MemAvailable`); null where that
 * cannot be read. Reads a file of the kernel, so it takes microseconds. Never throws.
 */
export function readFreeMemory(): number | null {
  try {
    return parseMemAvailable(readFileSync("/proc/meminfo", "utf8"));
  } catch {
    return null;
  }
}

/** The bytes that `/proc/meminfo` calls available; null when it does not say. */
export function parseMemAvailable(text: string): number | null {
  const kib = /^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1];
  return kib === undefined ? null : Number(kib) * 1024;
}
