import { execa } from "execa";
import { abortReason } from "../base/index.ts";
import { type NpmEnv, npmEnvOf } from "./agents/npm.ts";

/** How this machine reaches package registries, as programs in a container are told. Never a secret. */
interface RegistryAccess {
  readonly env: Readonly<Record<string, string>>;
  /** As `Acquire::http::Proxy=…`. */
  readonly aptOptions: readonly string[];
}

const PROXY = /^(https?|no)_proxy$/i;
const APT_PROXY = /^(Acquire::https?::Proxy(?:::[A-Za-z0-9.-]+)?) "([^"]+)";$/;
const ASK_MS = 10_000;

/**
 * Proxies of `env` and of the host's apt, and the registry that the host's npm is configured for. An address with a
 * password in it is left out: whatever is installed could read it.
 */
export async function readRegistryAccess(
  env: NpmEnv,
  opts: { readonly signal?: AbortSignal | undefined },
): Promise<RegistryAccess> {
  const own = Object.entries(env).filter((entry): entry is [string, string] => {
    return PROXY.test(entry[0]) && entry[1] !== undefined && !hasPassword(entry[1]);
  });
  const [registry, apt] = await Promise.all([
    ask("npm", ["config", "get", "registry"], env, opts),
    ask("apt-config", ["dump"], env, opts),
  ]);
  return {
    env: {
      ...Object.fromEntries(own),
      ...(/^https?:\/\/\S+$/.test(registry) && !hasPassword(registry) ? { npm_config_registry: registry } : {}),
    },
    aptOptions: parseAptProxies(apt),
  };
}

/** The proxies in what `apt-config dump` says. Pure. */
export function parseAptProxies(dump: string): readonly string[] {
  return dump.split("\n").flatMap((line) => {
    const [, name, value] = APT_PROXY.exec(line) ?? [];
    return name === undefined || value === undefined || hasPassword(value) ? [] : [`${name}=${value}`];
  });
}

function hasPassword(address: string): boolean {
  return address.includes("@");
}

/** What a program says; nothing when it is not there or fails. */
async function ask(
  program: string,
  argv: readonly string[],
  env: NpmEnv,
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<string> {
  const done = await execa(program, argv, {
    env: npmEnvOf(env),
    extendEnv: false,
    cwd: "/",
    stdin: "ignore",
    reject: false,
    timeout: ASK_MS,
    ...(signal ? { cancelSignal: signal } : {}),
  });
  if (signal?.aborted) throw abortReason(signal);
  return done.exitCode === 0 ? done.stdout : "";
}
