import * as z from "zod";

/** Answers of the engine, as far as they are read; other fields are ignored. */

export const infoSchema = z.object({
  host: z.object({
    cgroupVersion: z.string().default("v1"),
    networkBackend: z.string().default("unknown"),
    security: z.object({ rootless: z.boolean().default(false), selinuxEnabled: z.boolean().default(false) }),
  }),
  store: z.object({ graphRoot: z.string() }).nullish(),
  version: z.object({ Version: z.string() }),
});

export const createdSchema = z.object({ Id: z.string() });
export const runtimeSchema = z.object({ OCIRuntime: z.string() });
export const removedSchema = z.array(z.object({ Err: z.unknown().optional() }));
export const imageSchema = z.object({ Id: z.string(), Labels: z.record(z.string(), z.string()).nullish() });
/** Also of an image; `User` stands beside its `Config`. */
export const imageConfigSchema = z.object({
  User: z.string().nullish(),
  Config: z
    .object({
      Env: z.array(z.string()).nullish(),
      Cmd: z.array(z.string()).nullish(),
      Entrypoint: z.array(z.string()).nullish(),
      WorkingDir: z.string().nullish(),
    })
    .nullish(),
});
export const imagesSchema = z.array(z.object({ Id: z.string(), RepoTags: z.array(z.string()).nullish() })).nullable();
const labelled = { labels: z.record(z.string(), z.string()).nullish() };
export const networksSchema = z.array(z.object({ name: z.string(), ...labelled }));
export const sizesSchema = z.object({ SizeRw: z.number().nullish() });
export const volumeSchema = z.object({ Mountpoint: z.string() });
export const volumesSchema = z
  .array(z.object({ Name: z.string(), Labels: z.record(z.string(), z.string()).nullish() }))
  .nullable();
