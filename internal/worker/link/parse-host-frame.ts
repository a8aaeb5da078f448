import { type HostFrame, hostFrameSchema } from "../../protocol/host-frames.ts";

/** A frame of a proven host, or null when it is none. Loads zod: imported once a host has proven itself. */
export function parseHostFrame(text: string): HostFrame | null {
  try {
    const parsed = hostFrameSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
