import { describe, expect, it } from "vitest";
import { editConfigFile } from "./edit-file.ts";

const edit = (text: string, key: string, value: string) =>
  editConfigFile({ path: "/c/config.yaml", text }, { key, value }, { cores: 2 });

describe("editConfigFile", () => {
  it("changes one setting and leaves everything else as it is written", () => {
    const text = "# mine\nlimits:\n  memory: 2g # enough\nagent: claude\n";
    expect(edit(text, "limits.pids", "512")).toBe(
      "# mine\nlimits:\n  memory: 2g # enough\n  pids: 512\nagent: claude\n",
    );
    expect(edit(text, "limits.memory", "4g")).toBe("# mine\nlimits:\n  memory: 4g # enough\nagent: claude\n");
    expect(edit("", "api.port", "5000")).toBe("api:\n  port: 5000\n");
    expect(edit("", "agents.claude.args", "[--a, b c]")).toContain("- b c");
  });

  it("takes a setting away, with what held nothing else", () => {
    expect(edit("limits:\n  memory: 2g\nagent: claude\n", "limits.memory", "")).toBe("agent: claude\n");
    expect(edit("api: {port: 5000}\n", "api.port", "")).toBe("");
    expect(edit("agent: claude\n", "api.port", "")).toBe("agent: claude\n");
  });

  it.each([
    ["", "limits.memroy", "2g", 'unknown setting "limits.memroy"'],
    ["", "limits.memory", "lots", "limits.memory is"],
    ["", "agent", "[", "is not valid YAML"],
    ["nonsense: 1\n", "agent", "claude", "/c/config.yaml:1: unknown setting"],
  ])("refuses: %j %s=%s", (text, key, value, message) => {
    expect(() => edit(text, key, value)).toThrow(message);
  });
});
