import type { LibpodAnswer } from "./http-client.ts";

/**
 * Removes what a create that was cut off has left under a container's name: its storage, of which Podman tells only when
 * asked for containers that are not its own, and which keeps the name in use for good (seen on 4.3.1 after a kill of the
 * service). A container of that name is left alone. True when there was something.
 */
export async function removeRemains(
  name: string,
  engine: {
    readonly ask: (path: string) => Promise<LibpodAnswer>;
    readonly drop: (path: string) => Promise<LibpodAnswer>;
  },
): Promise<boolean> {
  const path = `/containers/${encodeURIComponent(name)}`;
  if ((await engine.ask(`${path}/exists`)).status !== 404) return false;
  if ((await engine.ask(`${path}/exists?external=true`)).status === 404) return false;
  await engine.drop(`${path}?force=true&timeout=0`);
  return true;
}
