import * as z from "zod";
import { isCredentialPath } from "./link-terms.ts";

/** Values that frames of both directions are made of. */

/** `bytes` bytes in hex. */
export const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
/** Of a job, a boot, a spool. */
export const id = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[A-Za-z0-9_-]+$/);
export const count = z.number().int().nonnegative();
export const generation = z.number().int().positive();

/** What all events of an attempt have. */
export const eventBase = { seq: z.number().int().positive(), atMs: count };

export const jobError = z.strictObject({ code: z.string().max(64), message: z.string().max(4096) });

/** Of a git object. */
export const oid = z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/);
/** Short name of a branch. */
export const branch = z.string().min(1).max(1024);

export const credentialPath = z.string().refine(isCredentialPath, "not a path below the agent's home");
