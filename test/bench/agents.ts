import { type Agent, findAgent, newLineSplitter } from "../../internal/agents/index.ts";
import { readRecorded } from "../../internal/agents/testing.ts";
import { timed } from "./measure.ts";

/** How fast one agent's stream is read: bytes in chunks, to lines, to events. */
export interface ParserSpeed {
  readonly agent: string;
  readonly bytes: number;
  readonly lines: number;
  readonly events: number;
  /** One value per pass, ms. */
  readonly ms: readonly number[];
  /** What the process held more at most than after the first tenth of the last pass, MB. */
  readonly grownMb: number;
}

/** Which lines of recorded runs a turn is made of; what a stream has once is left out. */
interface Turn {
  readonly agent: string;
  readonly runs: readonly string[];
  readonly once: RegExp;
  /** Pieces of text, which are most of a real stream. */
  readonly piece: RegExp;
}

const TURNS: readonly Turn[] = [
  {
    agent: "claude",
    runs: ["run-commit", "partial-messages"],
    once: /"subtype":"init"|"type":"result"|"type":"message_|"status":"requesting"/,
    piece: /"text_delta"/,
  },
  // Has no pieces.
  { agent: "codex", runs: ["run-commit", "say"], once: /"type":"(?:thread|turn)\./, piece: /^$/ },
  {
    agent: "gemini",
    runs: ["run-commit", "say"],
    once: /"type":"(?:init|result)"|"role":"user"/,
    piece: /"delta":true/,
  },
];

const PIECES_PER_TURN = 40;

/** Of a pipe. */
const CHUNK_BYTES = 64 * 1024;

/** How often memory is looked at, in chunks: about every 8 MB. */
const LOOK_EVERY = 128;

/** Reads so many bytes of the stream of each agent, in each pass. */
export async function measureAgents(opts: {
  readonly bytes: number;
  readonly passes: number;
  readonly signal: AbortSignal;
}): Promise<readonly ParserSpeed[]> {
  const all: ParserSpeed[] = [];
  for (const turn of TURNS) all.push(await measureAgent(turn, opts));
  return all;
}

async function measureAgent(
  turn: Turn,
  { bytes, passes, signal }: { readonly bytes: number; readonly passes: number; readonly signal: AbortSignal },
): Promise<ParserSpeed> {
  const agent = findAgent(turn.agent);
  const block = toBlock(turn);
  const ms: number[] = [];
  let last: Read = { lines: 0, events: 0, grownMb: 0 };
  for (let pass = 0; pass < passes; pass++) {
    ms.push(await timed(async () => (last = await readStream(agent, { block, bytes, signal }))));
  }
  return { agent: agent.name, bytes, ms, ...last };
}

type Read = Pick<ParserSpeed, "lines" | "events" | "grownMb">;

async function readStream(
  agent: Agent,
  { block, bytes, signal }: { readonly block: Buffer; readonly bytes: number; readonly signal: AbortSignal },
): Promise<Read> {
  const parser = agent.newParser();
  const splitter = newLineSplitter({
    onSkipped: () => {
      throw new Error("a recorded line was skipped");
    },
  });
  let [lines, events, settledMb, mostMb] = [0, 0, 0, 0];
  for (let read = 0, chunk = 0; read < bytes; read += CHUNK_BYTES, chunk++) {
    // Its length is no multiple of a chunk's: lines are cut at ever other places.
    for (const line of splitter.push(cutRound(block, read % block.length))) {
      lines++;
      events += parser.line(line).length;
    }
    if (chunk % LOOK_EVERY !== 0) continue;
    // The parser never waits: whoever wants to end this is heard in between.
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
    const rssMb = process.memoryUsage.rss() / 1e6;
    if (read < bytes / 10) settledMb = Math.max(settledMb, rssMb);
    mostMb = Math.max(mostMb, rssMb);
  }
  return { lines, events, grownMb: mostMb - settledMb };
}

/** A chunk of an endless repetition of the block, from this place on. */
function cutRound(block: Buffer, from: number): Buffer {
  if (from + CHUNK_BYTES <= block.length) return block.subarray(from, from + CHUNK_BYTES);
  return Buffer.concat([block.subarray(from), block.subarray(0, from + CHUNK_BYTES - block.length)]);
}

/** Some turns, longer than a chunk. */
function toBlock({ agent, runs, once, piece }: Turn): Buffer {
  const recorded = runs.flatMap((run) => readRecorded(agent, run).stdout.toString().trim().split("\n"));
  const lines = recorded.filter((line) => !once.test(line));
  const pieces = lines.filter((line) => piece.test(line));
  const others = lines.filter((line) => !piece.test(line));
  const text = Array.from({ length: pieces.length > 0 ? PIECES_PER_TURN : 0 }, (_, n) => pieces[n % pieces.length]);
  const turn = Buffer.from([...text, ...others].map((line) => `${line}\n`).join(""));
  return Buffer.concat(Array.from({ length: Math.ceil((4 * CHUNK_BYTES) / turn.length) }, () => turn));
}
