/** What stands where a secret was. */
const MARK = "[redacted]";

/** Anything shorter would take ordinary text out. */
const SECRET_MIN = 8;

/**
 * A function that takes these secrets out of a text, and gives the very same text where there is none. Pure; of
 * overlapping ones the whole stretch is taken out, so that no rest of one stays behind. Shorter ones than 8 are left.
 * They are found as they are and as JSON spells them: what agents print is JSON.
 */
export function createRedactor(secrets: Iterable<string>): (text: string) => string {
  const spelled = [...secrets].flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]);
  const known = [...new Set(spelled)].filter((secret) => secret.length >= SECRET_MIN);
  return (text) => {
    const found = known.flatMap((secret) => findAll(text, secret));
    return found.length === 0 ? text : cutOut(text, found);
  };
}

interface Stretch {
  readonly from: number;
  readonly to: number;
}

function findAll(text: string, secret: string): Stretch[] {
  const found: Stretch[] = [];
  for (let from = text.indexOf(secret); from >= 0; from = text.indexOf(secret, from + secret.length)) {
    found.push({ from, to: from + secret.length });
  }
  return found;
}

function cutOut(text: string, found: readonly Stretch[]): string {
  // The longest first where several begin together.
  const sorted = [...found].sort((a, b) => a.from - b.from || b.to - a.to);
  let clean = "";
  let done = 0;
  for (const { from, to } of sorted) {
    if (from >= done) clean += text.slice(done, from) + MARK;
    done = Math.max(done, to);
  }
  return clean + text.slice(done);
}
