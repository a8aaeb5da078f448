import { openScene } from "./scene.ts";
import { untilState } from "./daemon-api.ts";
import { openBareLane, readSpec } from "./bare-lane.ts";
import { toCreateBody } from "../../internal/podman/index.ts";
import { probeUntilOk, answersOk } from "./probe.ts";
import { pause, summarise } from "./measure.ts";
import Database from "better-sqlite3";
import { join } from "node:path";
const stop = new AbortController();
process.on("SIGINT", () => stop.abort(new Error("int")));
const signal = stop.signal;
const N = Number(process.env.ROUNDS ?? 8);
async function main() {
  await using scene = await openScene({ signal });
  const { api, libpod, lanes } = scene;
  const db = new Database(join(scene.home.stateDir, "lanekeeper.db"), { readonly: true });
  const spec = readSpec(scene, lanes.cold.id);
  const bare = await openBareLane(scene, spec, { signal, name: "bare", worker: "same" });
  const acc: Record<string, number[]> = {};
  const put = (k: string, v: number) => (acc[k] ??= []).push(v);
  for (let n = 0; n <= N; n++) {
    await pause(300, signal);
    const stopped = await api.stop(lanes.cold.id, { signal });
    if (stopped.container !== null) await libpod.remove(stopped.container, { signal });
    await untilState(api, lanes.cold.id, "absent", { signal });
    await pause(300, signal);
    const t0 = Date.now(); const p0 = performance.now();
    await api.bringUp(lanes.cold.id, "start", { signal });
    const total = performance.now() - p0;
    const rows = db.prepare("select event, at from lane_history where lane=? order by seq desc limit 4").all(lanes.cold.id).reverse() as any[];
    if (n > 0) {
      put("our total", total);
      put("our to create", rows[0].at - t0);
      put("our create call(+stage, net, vol)", rows[1].at - rows[0].at);
      put("our start call (+inspect)", rows[2].at - rows[1].at);
      put("our proof", rows[3].at - rows[2].at);
      put("our reply", t0 + total - rows[3].at);
    }
    await pause(300, signal);
    const b0 = performance.now();
    const r = await bare.start({ signal });
    if (n > 0) put("bare total", r.ms);
    await libpod.remove(r.lane.id, { signal });
    await pause(300, signal);
    // in parts
    const body = (bare as any).body ?? null;
    if (body) {
      const q0 = performance.now();
      const id = await libpod.create(body, { signal }); const q1 = performance.now();
      await libpod.start(id, { signal }); const q2 = performance.now();
      const l = await libpod.inspect(id, { signal }); const q3 = performance.now();
      await probeUntilOk(l.endpoint + "/readyz?nonce=" + "0".repeat(32), { everyMs: 2, signal }); const q4 = performance.now();
      if (n > 0) { put("bare create", q1 - q0); put("bare start", q2 - q1); put("bare inspect", q3 - q2); put("bare probe", q4 - q3); }
      await libpod.remove(id, { signal });
    }
  }
  for (const [k, v] of Object.entries(acc)) { const s = summarise(v)!; console.log(k.padEnd(40), s.median.toFixed(1), `(${s.min.toFixed(1)}-${s.max.toFixed(1)})`); }
  const logs = await scene.cli.run(["logs", lanes.cold.containerName], { signal }).catch((e) => String(e));
  console.log(logs.slice(0, 2000));
  console.log(await scene.cli.run(["exec", lanes.cold.containerName, "lane-worker", "--check-code-cache"], { signal }).catch((e) => String(e)));
  db.close();
}
main().then(() => process.exit(0), (e) => { console.error(e); process.exit(1); });
