import type { Config } from "./hardened-git.ts";

/**
 * A filter of ours for files of git-lfs, as git's long-running filter protocol (gitattributes, version 2) wants it: the
 * pointer of what it is given, and nothing is kept or fetched. It is started by git and ended with it. A script, since
 * git starts programs; no single quotes, it goes through a shell.
 */
const SCRIPT = `
const { createHash } = require("node:crypto");
const pkt = (text) => (text.length + 5).toString(16).padStart(4, "0") + text + "\\n";
const say = (...lines) => process.stdout.write(lines.map(pkt).join("") + "0000");
let rest = Buffer.alloc(0), step = 0, hash = null, size = 0;
const onFlush = () => {
  if (step === 0) say("git-filter-server", "version=2");
  if (step === 1) say("capability=clean");
  if (step < 2) return void step++;
  if (step === 2) { hash = createHash("sha256"); size = 0; step = 3; return; }
  say("status=success");
  process.stdout.write([
    "version https://git-lfs.github.com/spec/v1", "oid sha256:" + hash.digest("hex"), "size " + size,
  ].map(pkt).join("") + "00000000");
  step = 2;
};
process.stdin.on("data", (piece) => {
  rest = Buffer.concat([rest, piece]);
  while (rest.length >= 4) {
    const length = parseInt(rest.toString("latin1", 0, 4), 16);
    if (length === 0) { rest = rest.subarray(4); onFlush(); continue; }
    if (rest.length < length) return;
    if (step === 3) { hash.update(rest.subarray(4, length)); size += length - 4; }
    rest = rest.subarray(length);
  }
});
`;

/**
 * Settings that have this filter make the pointers, whatever others say.
 * @param node path of the program that runs it
 */
export function lfsFilter(node: string): Config {
  const command = `'${node.replaceAll("'", "'\\''")}' -e '${SCRIPT}'`;
  return [
    ["filter.lfs.process", command],
    ["filter.lfs.clean", ""],
    ["filter.lfs.required", "false"],
  ];
}
