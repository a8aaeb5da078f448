import { link, readFile, rm, writeFile } from "node:fs/promises";
import { AppError, errnoOf, randomHex, toError } from "../base/index.ts";

/**
 * The random id of this installation, made on the first call. It stands in every name and label we make, so it must
 * never change: it has a file of its own, and outlives a lost database.
 * @throws store.failed, store.full
 */
export async function readInstallId(file: string): Promise<string> {
  const known = await readFile(file, "utf8").catch(() => null);
  if (known !== null) return parseInstallId(known, file);
  const draft = `${file}.${process.pid}`;
  try {
    await writeFile(draft, `${randomHex(4)}\n`, { mode: 0o600 });
    // link() does not replace: of two that start at once, both use the first one's id.
    await link(draft, file).catch((caught: unknown) => {
      if (errnoOf(caught) !== "EEXIST") throw toError(caught);
    });
    return parseInstallId(await readFile(file, "utf8"), file);
  } catch (caught) {
    if (caught instanceof AppError) throw caught;
    const full = errnoOf(caught) === "ENOSPC";
    throw new AppError({
      code: full ? "store.full" : "store.failed",
      message: `the installation's id cannot be written to ${file}: ${toError(caught).message}`,
      hint: full ? "free space on that file system" : "check the folder's permissions: lane doctor",
      cause: caught,
    });
  } finally {
    await rm(draft, { force: true }).catch(() => undefined);
  }
}

function parseInstallId(text: string, file: string): string {
  const id = text.trim();
  if (/^[0-9a-f]{8}$/.test(id)) return id;
  throw new AppError({
    code: "store.corrupt",
    message: `${file} does not hold an installation's id`,
    hint: "restore it from the label io.lanekeeper.install of this installation's containers; without any, remove the file",
  });
}
