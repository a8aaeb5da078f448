import { execFile } from "node:child_process";

/** A finished program. */
export interface Finished {
  readonly stdout: string;
}

/** Runs a program without input. @throws an Error with the end of its stderr when it fails, is missing or takes too long */
export async function run(
  file: string,
  args: readonly string[],
  opts: { readonly timeoutMs: number; readonly env?: Readonly<Record<string, string>> | undefined },
): Promise<Finished> {
  const options = { timeout: opts.timeoutMs, maxBuffer: 32 * 1024 * 1024, env: { ...process.env, ...opts.env } };
  return new Promise<Finished>((resolve, reject) => {
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      if (!error) return resolve({ stdout });
      const said = stderr.trim().split("\n").slice(-4).join(" | ");
      const how = error.killed ? `took longer than ${opts.timeoutMs} ms` : said || error.message.split("\n")[0];
      reject(new Error(`${file} ${args[0] ?? ""}: ${how}`, { cause: error }));
    });
    child.stdin?.end();
  });
}
