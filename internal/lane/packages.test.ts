import { describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import { derivedImageOf, isAptPackage, isNpmPackage, parsePackages, renderPackages } from "./packages.ts";

const HOSTILE = [
  ...["", " ", "-y", "--foo", "a;b", "a b", "a\nb", "$(id)", "`id`", "../x", "./x", "/x", ".", "a/../b", "a\0"],
  ...["file:..", "file:x", "git+ssh://h/r", "git://h/r", "https://h/x.tgz", "X.TGZ"],
  ...["user/repo", "github:user/repo", "npm:other@1", "x@npm:other@1", "x@file:..", "x@../y", "x@https://h/y"],
  ...["x@git+ssh://h/r", "x@user/repo", "x@y.tgz", "@/x", "@s/", "@s/../x", "x@", "x@1 || 2", "ünicode", "a,b"],
];

describe("packages", () => {
  it.each(HOSTILE)("refuses %j of either kind", (word) => {
    expect([isAptPackage(word), isNpmPackage(word)]).toEqual([false, false]);
  });

  it.each(["x.tgz", "x.tar.gz", "x.tar", "node.tgz"])("refuses %j for npm", (word) =>
    expect(isNpmPackage(word)).toBe(false),
  );

  it.each(["foo-", "x", "Foo", "foo/stable", "foo:i386", "foo=", "foo=a1", "foo*", "foo^", "@s/x"])(
    "refuses %j for apt",
    (word) => expect(isAptPackage(word)).toBe(false),
  );

  it.each(["git-lfs", "g++", "libstdc++6", "ripgrep=13.0.0-4+b2", "tree=1:2.1~rc1-1", "python3.11"])(
    "takes %j for apt",
    (word) => expect(isAptPackage(word)).toBe(true),
  );

  it.each(["semver", "typescript@5.9.2", "@scope/tool", "@s/t@^1.2", "x@~1", "x@>=2.0", "x@latest", "x@1.x", "a.b_c"])(
    "takes %j for npm",
    (word) => expect(isNpmPackage(word)).toBe(true),
  );

  it("are read and written in one form", () => {
    const read = parsePackages("npm:typescript, apt:tree,apt:git-lfs,apt:tree");
    expect(read).toEqual({ apt: ["git-lfs", "tree"], npm: ["typescript"] });
    expect(renderPackages(read)).toBe("apt:git-lfs,apt:tree,npm:typescript");
    expect(parsePackages("none")).toEqual({ apt: [], npm: [] });
    expect(renderPackages(parsePackages("none"))).toBe("none");
    const many = Array.from({ length: 65 }, (_, at) => `apt:p${at}`).join(",");
    for (const bad of ["", "tree", "apt:", "apt:--foo", "npm:file:..", "gem:rake", many])
      expect(() => parsePackages(bad)).toThrow(AppError);
  });

  it("give an image one name by content: base, names, and of which kind they are", () => {
    const name = (base: string, apt: readonly string[], npm: readonly string[]) =>
      derivedImageOf("inst", base, { apt, npm }).name;
    const one = name("a".repeat(64), ["tree", "jq"], ["semver"]);
    expect(one).toMatch(/^localhost\/lanekeeper-inst-packages:[0-9a-f]{16}$/);
    expect(name("a".repeat(64), ["jq", "tree", "jq"], ["semver"])).toBe(one);
    const others = [
      name("b".repeat(64), ["jq", "tree"], ["semver"]),
      name("a".repeat(64), ["jq"], ["semver"]),
      name("a".repeat(64), ["jq", "tree", "semver"], []),
      name("a".repeat(64), ["jq", "tree"], ["semver@7"]),
    ];
    expect(new Set([one, ...others]).size).toBe(5);
  });
});
