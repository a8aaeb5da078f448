import * as z from "zod";
import { CREDENTIAL_LIMITS } from "./link-terms.ts";
import { credentialPath } from "./link-values.ts";

/** One credential file as it crosses the link. `path` is relative to the agent's home. */
export const credentialFileSchema = z.strictObject({
  path: credentialPath,
  base64: z.base64().max(4 * Math.ceil(CREDENTIAL_LIMITS.fileBytes / 3)),
});

export type CredentialFile = z.infer<typeof credentialFileSchema>;
