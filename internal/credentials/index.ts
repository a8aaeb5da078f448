export { type AgentLogins, type LoginOptions, openAgentLogins } from "./agent-logins.ts";
export { type CredentialSet, checkManifest, toCredentialFiles } from "./credential-set.ts";
export { loginIn, toDelivery } from "./delivery.ts";
export { createLoginDigest, type Login, type LoginOwner, type LoginState } from "./login.ts";
export { secretsOf, secretsOfLogin } from "./secrets-of.ts";
export { type CredentialSource, openCredentialSource, setOf } from "./source.ts";
