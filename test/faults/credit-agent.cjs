// A fake agent that prints as many numbered lines as it is told: credit-agent.cjs FIFO
// Each line read from FIFO is a number of lines to print, one write each with a pause behind it, so that most of them
// become an event of their own. 0 ends it.
const { createReadStream, writeSync } = require("node:fs");
const { createInterface } = require("node:readline");

const PAUSE_MS = 0.3;
const never = new Int32Array(new SharedArrayBuffer(4));

let printed = 0;
createInterface({ input: createReadStream(process.argv[2]) }).on("line", (credit) => {
  if (credit === "0") process.exit(0);
  for (let left = Number(credit); left > 0; left--) {
    writeSync(1, `line ${++printed}\n`);
    Atomics.wait(never, 0, 0, PAUSE_MS);
  }
});
