import { describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import { toCredentialSet } from "./credential-set.ts";
import { toDelivery } from "./delivery.ts";
import { type Login, type LoginState, toFileLogin } from "./login.ts";
import { CLAUDE, DIGEST } from "./testing.ts";

const PATH = ".claude/.credentials.json";
const source = CLAUDE.logins.find((one) => one.kind === "file");
function login(content: string, path: string): Login {
  if (!source) throw new Error("no file");
  const facts = { secret: "s", expiresAtMs: null, endsAtMs: null, rotates: true, identity: null };
  return toFileLogin(CLAUDE, source, { path, content: Buffer.from(content), facts, digest: DIGEST });
}
const folderOf = (files: Record<string, string>) => ({
  path: "/f",
  set: toCredentialSet(Object.entries(files).map(([path, text]) => ({ path, content: Buffer.from(text) }))),
});
const refused = (path: string, last: Login | null): LoginState => {
  const error = new AppError({ code: "credentials.refused", message: "no" });
  return { kind: "refused", source: path, error, last };
};
const shown = (...args: Parameters<typeof toDelivery>) =>
  toDelivery(...args).files.map(({ path, content }) => `${path}=${content}`);

describe("toDelivery", () => {
  it("is the folder's files and those of the logins", () => {
    const usable: LoginState = { kind: "usable", login: login("new", "/home/me/x") };
    expect(shown(folderOf({ b: "1", [PATH]: "old" }), [usable])).toEqual([`${PATH}=new`, "b=1"]);
    expect(shown(null, [usable, { kind: "missing", hint: "" }])).toEqual([`${PATH}=new`]);
    expect(shown(null, [])).toEqual([]);
  });

  it("keeps a refused login's last good file, and never takes a refused one from the folder", () => {
    const folder = folderOf({ b: "1", [PATH]: "cut off" });
    expect(shown(null, [refused("/home/me/x", login("good", "/home/me/x"))])).toEqual([`${PATH}=good`]);
    expect(shown(folder, [refused(`/f/${PATH}`, login("good", `/f/${PATH}`))])).toEqual([`${PATH}=good`, "b=1"]);
    expect(shown(folder, [refused(`/f/${PATH}`, null)])).toEqual(["b=1"]);
    expect(shown(folder, [refused("/home/me/x", null)])).toEqual([`${PATH}=cut off`, "b=1"]);
  });

  it("refuses more than one delivery may hold", () => {
    const files = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`f${i}`, "1"]));
    expect(toDelivery(folderOf(files), []).files).toHaveLength(64);
    expect(() => toDelivery(folderOf(files), [{ kind: "usable", login: login("1", "/x") }])).toThrow("65 files");
  });
});
