"use strict";
/**
 * Looks at the command line of every process on this machine, again and again, and at its environment when the process
 * is new or has become another program. What it looks for comes as one line of JSON on standard input, a list of
 * {name, value}, so that it shows it nowhere itself; a further line replaces the list. At the end of its input it
 * writes what it saw.
 */
const { readdirSync, readFileSync, readlinkSync } = require("node:fs");
const { createInterface } = require("node:readline");

const PAUSE_MS = 5;
const ownSpace = readlinkSync("/proc/self/ns/pid");
const seen = { passes: 0, commandLines: 0, environments: 0, longestGapMs: 0, hits: [] };
const told = new Set();
/** By pid: the command line as it was last seen. */
let before = new Map();
let needles = [];
let lastMs = 0;

function read(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}

/** Of a script the script: Node's own name says nothing. */
function programOf(commandLine) {
  const names = commandLine.split("\0").map((word) => word.split("/").pop());
  return names.find((name) => name !== "node" && name !== "env" && !name.startsWith("-")) ?? names[0];
}

function isInContainer(pid) {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`) !== ownSpace;
  } catch {
    return false;
  }
}

function look(pid, place, text, { commandLine, environment }) {
  for (const { name, value } of needles) {
    if (!text.includes(value)) continue;
    const program = programOf(commandLine);
    const hit = {
      place,
      name,
      program,
      inContainer: isInContainer(pid),
      isJob: environment.includes("LANEKEEPER_JOB="),
    };
    const key = JSON.stringify(hit);
    if (told.has(key)) continue;
    told.add(key);
    seen.hits.push(hit);
  }
}

function pass() {
  const now = new Map();
  for (const entry of readdirSync("/proc")) {
    const code = entry.charCodeAt(0);
    if (code < 49 || code > 57) continue;
    const commandLine = read(entry, "cmdline");
    now.set(entry, commandLine);
    seen.commandLines += 1;
    // Nothing is there amid an exec, and for the kernel's own: the one is looked at the next time.
    if (commandLine === "" || before.get(entry) === commandLine) continue;
    // Read once: the process may be another program, or gone, when it is read again.
    const environment = read(entry, "environ");
    look(entry, "argv", commandLine, { commandLine, environment });
    look(entry, "environ", environment, { commandLine, environment });
    seen.environments += 1;
  }
  before = now;
  const nowMs = performance.now();
  if (seen.passes > 0) seen.longestGapMs = Math.max(seen.longestGapMs, nowMs - lastMs);
  lastMs = nowMs;
  seen.passes += 1;
}

const input = createInterface({ input: process.stdin });
let timer = null;
input.on("line", (line) => {
  needles = JSON.parse(line);
  before = new Map();
  timer ??= setInterval(pass, PAUSE_MS);
});
input.on("close", () => {
  clearInterval(timer);
  process.stdout.write(JSON.stringify(seen));
});
