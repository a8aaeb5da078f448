import { AppError, errnoOf } from "../base/index.ts";

/** The user's own systemd, by its command line. */
export interface SystemdUser {
  /** @throws host.tool_missing when there is none that answers */
  require(): Promise<void>;
  isThere(): Promise<boolean>;
  /** Runs `systemctl --user …`. @throws host.tool_missing, internal.bug with what it said */
  run(...args: readonly string[]): Promise<string>;
  /** Properties of a unit, as `ActiveState`. */
  show(unit: string, properties: readonly string[]): Promise<Readonly<Record<string, string>>>;
  /** Does the user's systemd live on after the last logout? */
  lingers(uid: number): Promise<boolean>;
}

const BUDGET_MS = 60_000;

/** The user's systemd as `env` finds it. */
export function createSystemdUser(
  env: Readonly<Record<string, string | undefined>>,
  { signal }: { readonly signal: AbortSignal },
): SystemdUser {
  const exec = async (file: string, args: readonly string[]) => {
    const { execa } = await import("execa");
    const options = { env, extendEnv: false, reject: false, timeout: BUDGET_MS, cancelSignal: signal } as const;
    const { exitCode, stdout, stderr, cause } = await execa(file, args, { ...options, stdin: "ignore" });
    const said = stderr.trim().split("\n").at(-1) ?? "";
    return { ok: exitCode === 0, stdout, said: exitCode === undefined ? String(errnoOf(cause) ?? "no answer") : said };
  };
  const systemctl = (args: readonly string[]) => exec("systemctl", ["--user", "--no-pager", ...args]);
  const isThere = async () => (await systemctl(["show", "--property=Version"])).ok;

  return {
    isThere,
    async require() {
      const { ok, said } = await systemctl(["show", "--property=Version"]);
      if (ok) return;
      throw new AppError({
        code: "host.tool_missing",
        message: `there is no systemd of this user here (${said || "systemctl does not answer"})`,
        hint: "`lane up` starts laned without it; `lane service install --print` shows the unit for another machine",
      });
    },
    async run(...args) {
      const { ok, stdout, said } = await systemctl(args);
      if (ok) return stdout;
      throw new AppError({
        code: "host.tool_missing",
        message: `systemctl --user ${args.join(" ")} failed: ${said}`,
        hint: "see `systemctl --user status laned` and `journalctl --user -u laned`",
      });
    },
    async show(unit, properties) {
      const { stdout } = await systemctl(["show", unit, `--property=${properties.join(",")}`]);
      const pairs = stdout.split("\n").map((line) => [line.split("=")[0] ?? "", line.slice(line.indexOf("=") + 1)]);
      return Object.fromEntries(pairs);
    },
    async lingers(uid) {
      // Fails for a user who neither lingers nor is logged in.
      return (await exec("loginctl", ["show-user", String(uid), "--property=Linger"])).stdout.trim() === "Linger=yes";
    },
  };
}
