import { createRedactor } from "../base/index.ts";

/** Takes out of a text what the daemon knows to be secret now. */
export interface Redaction {
  readonly redact: (text: string) => string;
  /** The credentials are these from now on. Those before them count on: lanes and their output may still hold them. */
  renew(secrets: readonly string[]): void;
}

/** So many of those before count on: each is looked for in every text. */
const EARLIER_MAX = 200;

/** A redaction of `fixed` secrets and of credentials, none until they are given. */
export function createRedaction(fixed: readonly string[]): Redaction {
  let earlier: readonly string[] = [];
  let redact = createRedactor(fixed);
  return {
    redact: (text) => redact(text),
    renew: (secrets) => {
      const known = [...new Set([...secrets, ...earlier])];
      redact = createRedactor([...fixed, ...known]);
      earlier = known.slice(0, secrets.length + EARLIER_MAX);
    },
  };
}
