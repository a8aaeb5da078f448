import { createHash } from "node:crypto";
import { AppError } from "../base/index.ts";

/** Packages that a lane's image gets on top of those it has; each may name a version. */
export interface Packages {
  /** Of the image's distribution, as `git-lfs` or `git-lfs=3.3.0-1`. */
  readonly apt: readonly string[];
  /** Installed globally, as `typescript` or `@scope/tool@^1.2`. */
  readonly npm: readonly string[];
}

/** Packages of one kind. */
export const PACKAGES_MAX = 64;

/** An image made of another one and packages, by what is in it. */
export interface DerivedImage {
  readonly name: string;
  /** SHA-256 of the base's id and the packages, hex. */
  readonly key: string;
  /** Id of the image below, 64 hex digits. */
  readonly baseId: string;
  /** Sorted, none twice. */
  readonly packages: Packages;
}

/** Debian's own grammar, and no trailing `-`, by which apt would remove the package. */
const APT = /^[a-z0-9][a-z0-9+.-]{0,126}[a-z0-9+.](=[0-9][A-Za-z0-9.+~:-]{0,127})?$/;

/** One comparator at most: nothing that npm could read as a path, an address, an alias or a repository. */
const NPM =
  /^(@[a-z0-9][a-z0-9._~-]{0,99}\/)?[a-z0-9][a-z0-9._~-]{0,99}(@([\^~=]|[<>]=?)?[0-9A-Za-z][0-9A-Za-z.+-]{0,99})?$/;

/** npm takes such a word for a file. */
const ARCHIVE = /\.(tgz|tar\.gz|tar)(@|$)/i;

/** Could this be a package of the distribution, and nothing else that apt understands? */
export function isAptPackage(word: string): boolean {
  return APT.test(word);
}

/** Could this be a package of the npm registry, and nothing else that npm understands? */
export function isNpmPackage(word: string): boolean {
  return NPM.test(word) && !ARCHIVE.test(word);
}

/** In one order, none twice. */
export function sortPackages({ apt, npm }: Packages): Packages {
  const sorted = (words: readonly string[]) => [...new Set(words)].sort();
  return { apt: sorted(apt), npm: sorted(npm) };
}

/** Are there any? Null is none. */
export function hasPackages(packages: Packages | null): packages is Packages {
  return packages !== null && packages.apt.length + packages.npm.length > 0;
}

/** As people write them: `apt:git-lfs,npm:typescript@5`; `none` where there are none. */
export function renderPackages({ apt, npm }: Packages): string {
  return [...apt.map((word) => `apt:${word}`), ...npm.map((word) => `npm:${word}`)].join(",") || "none";
}

/** Reads {@link renderPackages}' text. @throws usage.invalid */
export function parsePackages(text: string): Packages {
  const words = text === "none" ? [] : text.split(",").map((word) => word.trim());
  const of = (kind: string) => words.flatMap((word) => (word.startsWith(kind) ? [word.slice(kind.length)] : []));
  const packages = { apt: of("apt:"), npm: of("npm:") };
  const isGood = (word: string) =>
    (word.startsWith("apt:") && isAptPackage(word.slice(4))) ||
    (word.startsWith("npm:") && isNpmPackage(word.slice(4)));
  const bad = words.find((word) => !isGood(word));
  const isMany = Math.max(packages.apt.length, packages.npm.length) > PACKAGES_MAX;
  if (bad === undefined && !isMany) return sortPackages(packages);
  throw new AppError({
    code: "usage.invalid",
    message:
      bad === undefined
        ? `more than ${PACKAGES_MAX} packages of one kind`
        : `not a package: ${JSON.stringify(bad.slice(0, 80))}`,
    hint: "write them as apt:git-lfs,npm:typescript@5, or none",
  });
}

/** What an image with these packages is called. The same content has the same name, whatever order it was written in. */
export function derivedImageOf(install: string, baseId: string, packages: Packages): DerivedImage {
  const sorted = sortPackages(packages);
  const content = JSON.stringify(["lanekeeper-packages-1", baseId, sorted.apt, sorted.npm]);
  const key = createHash("sha256").update(content).digest("hex");
  return { name: `${derivedImages(install)}:${key.slice(0, 16)}`, key, baseId, packages: sorted };
}

/** The name of all derived images of an installation, without their tag. */
export function derivedImages(install: string): string {
  return `localhost/lanekeeper-${install}-packages`;
}
