import { describe, expect, it } from "vitest";
import { bootFolderOf, resolvePaths } from "./paths.ts";

const facts = { homedir: "/home/ann", tmpdir: "/tmp", hasFolder: () => false };
const all = {
  XDG_CONFIG_HOME: "/x/config",
  XDG_STATE_HOME: "/x/state",
  XDG_DATA_HOME: "/x/data",
  XDG_CACHE_HOME: "/x/cache",
  XDG_RUNTIME_DIR: "/x/run",
};

describe("resolvePaths", () => {
  it("follows every XDG variable", () => {
    const paths = resolvePaths(all, 1000, facts);
    expect(paths).toEqual({
      config: { dir: "/x/config/lanekeeper", file: "/x/config/lanekeeper/config.yaml" },
      state: {
        dir: "/x/state/lanekeeper",
        database: "/x/state/lanekeeper/lanekeeper.db",
        install: "/x/state/lanekeeper/install",
        token: "/x/state/lanekeeper/token",
        logs: "/x/state/lanekeeper/logs",
        log: "/x/state/lanekeeper/logs/laned.log",
      },
      data: { dir: "/x/data/lanekeeper" },
      cache: { dir: "/x/cache/lanekeeper" },
      runtime: {
        dir: "/x/run/lanekeeper",
        apiSocket: "/x/run/lanekeeper/api.sock",
        podmanSocket: "/x/run/lanekeeper/podman.sock",
        boot: "/x/run/lanekeeper/boot",
      },
    });
    expect(bootFolderOf(paths, "demo-1")).toBe("/x/run/lanekeeper/boot/demo-1");
  });

  it("falls back to the usual places below HOME", () => {
    const paths = resolvePaths({ HOME: "/home/bob" }, 1000, facts);
    expect(paths.config.file).toBe("/home/bob/.config/lanekeeper/config.yaml");
    expect(paths.state.database).toBe("/home/bob/.local/state/lanekeeper/lanekeeper.db");
    expect(paths.data.dir).toBe("/home/bob/.local/share/lanekeeper");
    expect(paths.cache.dir).toBe("/home/bob/.cache/lanekeeper");
    expect(resolvePaths({}, 1000, facts).config.dir).toBe("/home/ann/.config/lanekeeper");
  });

  it.each([
    ["the user's run folder when it is there", 1000, ["/run/user/1000"], "/run/user/1000/lanekeeper"],
    ["root's too", 0, ["/run/user/0"], "/run/user/0/lanekeeper"],
    ["/run for root without one", 0, [], "/run/lanekeeper"],
    ["the temporary folder for others, by uid", 1000, [], "/tmp/lanekeeper-1000"],
  ])("runtime: %s", (_, uid, folders, expected) => {
    const paths = resolvePaths({}, uid, { ...facts, hasFolder: (path) => folders.includes(path) });
    expect(paths.runtime.dir).toBe(expected);
  });

  it("an empty variable counts as unset, a relative one is refused", () => {
    expect(resolvePaths({ ...all, XDG_STATE_HOME: "" }, 1, facts).state.dir).toBe("/home/ann/.local/state/lanekeeper");
    expect(() => resolvePaths({ XDG_STATE_HOME: "state" }, 1, facts)).toThrow(
      /XDG_STATE_HOME is not an absolute path: "state"/,
    );
  });

  it("accepts a socket path of 107 bytes and refuses one more, counted in bytes", () => {
    const suffix = "/lanekeeper/podman.sock".length;
    const fits = `/${"a".repeat(107 - suffix - 1)}`;
    expect(Buffer.byteLength(resolvePaths({ XDG_RUNTIME_DIR: fits }, 1, facts).runtime.podmanSocket)).toBe(107);
    expect(() => resolvePaths({ XDG_RUNTIME_DIR: `${fits}a` }, 1, facts)).toThrow(/is 108 bytes long; .* at most 107/);
    expect(() => resolvePaths({ XDG_RUNTIME_DIR: `/${"ä".repeat(45)}` }, 1, facts)).toThrow(/bytes long/);
  });
});
