import type { BootFolders } from "../ports.ts";

/** Bootstrap folders in memory. */
export interface FakeBoot extends BootFolders {
  /** Lanes that have a folder, and the generation it was made for. */
  readonly folders: Map<string, number>;
  /** Secrets by `<lane>/<generation>`. */
  readonly secrets: Map<string, string>;
}

/** No folders at all. */
export function createFakeBoot(): FakeBoot {
  const folders = new Map<string, number>();
  const secrets = new Map<string, string>();
  let drawn = 0;
  return {
    folders,
    secrets,
    stage: async ({ lane, generation }) => {
      folders.set(lane.id, generation);
      secrets.set(`${lane.id}/${generation}`, `secret ${++drawn}`);
    },
    secretOf: async (laneId, generation) => secrets.get(`${laneId}/${generation}`) ?? null,
    remove: async (laneId) => {
      folders.delete(laneId);
      for (const key of [...secrets.keys()]) if (key.startsWith(`${laneId}/`)) secrets.delete(key);
    },
    list: async () => [...folders.keys()],
  };
}
