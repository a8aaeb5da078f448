export { type CredentialSet, checkManifest, toCredentialFiles } from "./credential-set.ts";
export { readCredentialFolder } from "./read-folder.ts";
export { secretsOf } from "./secrets-of.ts";
export { type CredentialSource, type FolderState, openCredentialSource, setOf } from "./source.ts";
export { watchCredentialFolder } from "./watch-folder.ts";
