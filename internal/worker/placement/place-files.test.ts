import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { placeFiles } from "./place-files.ts";

const TARGET = "/run/lane/guide/instructions.md";
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "lk-home-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const place = () => placeFiles({ home, files: [], remove: [], settings: [{ path: ".agent/TOLD.md", link: TARGET }] });
const at = (name = "TOLD.md") => join(home, ".agent", name);

describe("a link in the agent's home", () => {
  it("is made with its folder, and left alone once it is there", () => {
    expect(place()).toMatchObject({ kind: "ok" });
    const { ino } = lstatSync(at());
    expect(place()).toMatchObject({ kind: "ok" });
    expect([readlinkSync(at()), lstatSync(at()).ino]).toEqual([TARGET, ino]);
  });

  it("takes the place of another one", () => {
    mkdirSync(join(home, ".agent"));
    symlinkSync("/elsewhere", at());
    place();
    expect(readlinkSync(at())).toBe(TARGET);
  });

  it("keeps what the agent has in its place", () => {
    mkdirSync(join(home, ".agent"));
    writeFileSync(at(), "mine");
    place();
    expect([readlinkSync(at()), readFileSync(at("TOLD.md.own"), "utf8")]).toEqual([TARGET, "mine"]);
  });

  it("is not made through another link", () => {
    mkdirSync(join(home, "other"));
    symlinkSync("other", join(home, ".agent"));
    expect(place()).toEqual({ kind: "refused", path: ".agent/TOLD.md", errno: "ELOOP" });
  });
});
