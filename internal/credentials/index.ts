export { type LoginOptions, openAgentLogins } from "./agent-logins.ts";
export { type CredentialSet, checkManifest, toCredentialFiles } from "./credential-set.ts";
export { loginIn, toDelivery, withContents } from "./delivery.ts";
export { createLoginDigest, type Login, type LoginOwner, type LoginState } from "./login.ts";
export { isNewerLogin } from "./newer-login.ts";
export { variablesOf } from "./observe-login.ts";
export { secretsOf, secretsOfLogin } from "./secrets-of.ts";
export { type CredentialSource, openCredentialSource, setOf } from "./source.ts";
export { writeLoginBack } from "./write-back.ts";
