import { credentialSchema, refreshedCredentialSchema } from "../protocol/index.ts";
import { defineRoute, json, ok, type Route } from "./route.ts";

const tag = "credentials";

/** Logins of agents: how they stand, never what they are. */
export const CREDENTIAL_ROUTES: readonly Route[] = [
  defineRoute({
    method: "GET",
    path: "/v1/credentials",
    name: "listCredentials",
    summary: "The login of each agent that needs one: where it is from, how it stands, which lanes hold it",
    tag,
    answers: [ok("The logins", credentialSchema.array())],
    handle: (_, { ports }) => json(ports.credentials.list()),
  }),
  defineRoute({
    method: "POST",
    path: "/v1/credentials/{id}/refresh",
    name: "refreshCredential",
    summary: "Runs the agent's sync command, where one is configured, and reads the sources of its login again",
    tag,
    answers: [ok("The login as it is then", refreshedCredentialSchema)],
    handle: async ({ id, signal }, { ports }) => json(await ports.credentials.refresh(id, { signal })),
  }),
];
