import { describe, expect, it } from "vitest";
import { AppError } from "./errors.ts";
import { Semaphore } from "./semaphore.ts";
import { settle } from "./testing.ts";

/** Tasks that run until they are let go. */
function createTasks(semaphore: Semaphore) {
  const running = new Map<string, (error?: Error) => void>();
  const started: string[] = [];
  return {
    started,
    running: () => [...running.keys()],
    begin: (name: string, signal?: AbortSignal) =>
      semaphore.run({ signal }, () => {
        started.push(name);
        return new Promise<string>((resolve, reject) => {
          running.set(name, (error) => {
            running.delete(name);
            if (error) reject(error);
            else resolve(name);
          });
        });
      }),
    end: async (name: string, error?: Error) => {
      running.get(name)?.(error);
      await settle();
    },
  };
}

describe("semaphore", () => {
  it("lets so many run at once, and the others in order", async () => {
    const tasks = createTasks(new Semaphore(2));
    const all = ["a", "b", "c", "d"].map((name) => tasks.begin(name));
    await settle();
    expect(tasks.running()).toEqual(["a", "b"]);
    await tasks.end("b");
    expect(tasks.running()).toEqual(["a", "c"]);
    await tasks.end("a");
    expect(tasks.running()).toEqual(["c", "d"]);
    await tasks.end("c");
    await tasks.end("d");
    expect(await Promise.all(all)).toEqual(["a", "b", "c", "d"]);
  });

  it("gives the place free when a task fails, and passes its error on", async () => {
    const tasks = createTasks(new Semaphore(1));
    const first = tasks.begin("a");
    void tasks.begin("b");
    await settle();
    const failed = expect(first).rejects.toThrow("broken");
    await tasks.end("a", new Error("broken"));
    await failed;
    expect(tasks.running()).toEqual(["b"]);
  });

  it("lets one give up while it waits, and the next one have its turn", async () => {
    const tasks = createTasks(new Semaphore(1));
    const stop = new AbortController();
    void tasks.begin("a");
    const second = tasks.begin("b", stop.signal);
    void tasks.begin("c");
    await settle();
    const gaveUp = expect(second).rejects.toMatchObject({ code: "daemon.stopping" });
    stop.abort(new AppError({ code: "daemon.stopping", message: "stopping" }));
    await gaveUp;
    await tasks.end("a");
    expect(tasks.started).toEqual(["a", "c"]);
    await tasks.end("c");
    void tasks.begin("d");
    await settle();
    expect(tasks.running()).toEqual(["d"]);
  });

  it("starts nothing for one who has given up before", async () => {
    const tasks = createTasks(new Semaphore(1));
    await expect(tasks.begin("a", AbortSignal.abort())).rejects.toMatchObject({ code: "cancelled" });
    expect(tasks.started).toEqual([]);
    void tasks.begin("b");
    await settle();
    expect(tasks.running()).toEqual(["b"]);
  });

  it("does not take back a turn that was given: a late abort is the task's own matter", async () => {
    const tasks = createTasks(new Semaphore(1));
    const stop = new AbortController();
    void tasks.begin("a");
    const second = tasks.begin("b", stop.signal);
    await settle();
    await tasks.end("a");
    stop.abort();
    await settle();
    expect(tasks.running()).toEqual(["b"]);
    await tasks.end("b");
    expect(await second).toBe("b");
  });

  it.each([0, -1, 0.5])("lets one run also with a limit of %d", async (limit) => {
    const tasks = createTasks(new Semaphore(limit));
    void tasks.begin("a");
    void tasks.begin("b");
    await settle();
    expect(tasks.running()).toEqual(["a"]);
  });
});
