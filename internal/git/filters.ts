/** Lists a repository's configuration, see {@link filtersOff}. */
export const LIST_CONFIG: readonly string[] = ["config", "--list", "--name-only", "-z", "--includes"];

/**
 * Configuration that switches off every clean, smudge and process filter among the names {@link LIST_CONFIG} printed.
 * A filter is a program that git runs for each file whose `.gitattributes` asks for it, and a lane writes
 * `.gitattributes`. List with the very git dir of the call that follows: conditional includes depend on it.
 */
export function filtersOff(listed: string): readonly (readonly [name: string, value: string])[] {
  const names = new Set<string>();
  for (const key of listed.split("\0")) {
    const match = /^filter\.(.+)\.[^.]+$/s.exec(key);
    if (match?.[1] !== undefined) names.add(match[1]);
  }
  return [...names].flatMap(
    (name) =>
      [
        [`filter.${name}.clean`, ""],
        [`filter.${name}.smudge`, ""],
        [`filter.${name}.process`, ""],
        [`filter.${name}.required`, "false"],
      ] as const,
  );
}
