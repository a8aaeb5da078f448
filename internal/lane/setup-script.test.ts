import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { toSetupArgv } from "./setup-script.ts";

function run(commands: Parameters<typeof toSetupArgv>[0]) {
  const [program = "", ...args] = toSetupArgv(commands);
  const { status, stdout } = spawnSync(program, args, { encoding: "utf8" });
  return { status, stdout };
}

describe("toSetupArgv", () => {
  it("runs each in turn, telling it first", () => {
    expect(run(["x=1; echo $x", ["printf", "%s\n", "a  b", "it's", "$HOME", "`id`"]])).toEqual({
      status: 0,
      stdout: "+ x=1; echo $x\n1\n+ printf %s\n a  b it's $HOME `id`\na  b\nit's\n$HOME\n`id`\n",
    });
  });

  it("stops at the first that fails, with its exit code", () => {
    expect(run(["echo one", "exit 7", "echo never"])).toEqual({ status: 7, stdout: "+ echo one\none\n+ exit 7\n" });
  });

  it("does nothing for nothing", () => {
    expect(run([])).toEqual({ status: 0, stdout: "" });
  });
});
