import { run } from "./run.ts";

/** What runs the programs of a lane, as far as it can be told without starting a container. */
export interface ImageNode {
  readonly image: string;
  /** As `v20.20.2`, null when the image does not say. */
  readonly version: string | null;
}

const LABEL = "io.lanekeeper.node";

/** Asks Podman for the Node version of an image; null when there is no Podman or no such image. */
export async function observeImageNode(image: string): Promise<ImageNode | null> {
  const args = ["image", "inspect", "--format", "json", image];
  const result = await run("podman", args, { timeoutMs: 20_000 }).catch(() => null);
  return result && { image, version: parseNodeVersion(result.stdout) };
}

/** From our own label (offline base), else from the variable of the public Node images. */
export function parseNodeVersion(inspectJson: string): string | null {
  const parsed: unknown = JSON.parse(inspectJson);
  const config = field(Array.isArray(parsed) ? parsed[0] : undefined, "Config");
  const label = field(field(config, "Labels"), LABEL);
  if (typeof label === "string" && isVersion(label)) return label;
  const env = field(config, "Env");
  const variable = Array.isArray(env) ? env.find((line) => String(line).startsWith("NODE_VERSION=")) : undefined;
  const version = typeof variable === "string" ? `v${variable.slice("NODE_VERSION=".length)}` : "";
  return isVersion(version) ? version : null;
}

function isVersion(text: string): boolean {
  return /^v\d+\.\d+\.\d+$/.test(text);
}

function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
