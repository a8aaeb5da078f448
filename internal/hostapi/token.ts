import { constants, type Stats } from "node:fs";
import { link, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError, errnoOf, randomHex } from "../base/index.ts";

/** 256 bits, hex. */
const TOKEN_BYTES = 32;

/**
 * The bearer token of this installation, made on first use. The file appears whole and 0600 or not at all; of two
 * processes that start at once, both read the one that came first.
 * @param path its folder must exist
 * @throws config.invalid for a file that others may read, that is a link, or that holds no token
 */
export async function loadOrCreateToken(path: string): Promise<string> {
  return (await readToken(path)) ?? (await createToken(path));
}

async function createToken(path: string): Promise<string> {
  const draft = join(dirname(path), `.token.${randomHex(8)}`);
  const token = randomHex(TOKEN_BYTES);
  try {
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(`${token}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    // Unlike a rename, a link never replaces what another process has put there meanwhile.
    await link(draft, path);
    return token;
  } catch (caught) {
    const other = errnoOf(caught) === "EEXIST" ? await readToken(path) : null;
    if (other !== null) return other;
    throw caught;
  } finally {
    await rm(draft, { force: true });
  }
}

async function readToken(path: string): Promise<string | null> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const wrong = whyUnsafe(await file.stat());
      if (wrong !== null) throw unusable(path, wrong);
      const token = (await file.readFile("utf8")).trim();
      if (!/^[\w-]{32,128}$/.test(token)) throw unusable(path, "does not hold a token");
      return token;
    } finally {
      await file.close();
    }
  } catch (caught) {
    if (errnoOf(caught) === "ENOENT") return null;
    if (errnoOf(caught) === "ELOOP") throw unusable(path, "is a link");
    throw caught;
  }
}

function whyUnsafe(stat: Stats): string | null {
  if (!stat.isFile()) return "is not a file";
  if (stat.uid !== process.getuid?.()) return `belongs to uid ${stat.uid}`;
  return (stat.mode & 0o077) === 0 ? null : `can be read by others (mode ${(stat.mode & 0o777).toString(8)})`;
}

function unusable(path: string, why: string): AppError {
  return new AppError({
    code: "config.invalid",
    message: `the token file ${path} ${why}`,
    hint: `remove it (rm ${path}): a new token is made at the next start`,
  });
}
