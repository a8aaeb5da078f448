/**
 * The candidates a mistyped `word` may have meant, best first, at most `limit`. Candidates further away than a
 * third of their length (at least two edits) are left out, as are duplicates.
 */
export function closestTo(word: string, candidates: Iterable<string>, limit = 3): readonly string[] {
  const wanted = word.toLowerCase();
  const scored: { readonly text: string; readonly distance: number }[] = [];
  for (const text of new Set(candidates)) {
    const candidate = text.toLowerCase();
    const allowed = Math.max(2, Math.floor(candidate.length / 3));
    const distance = candidate.startsWith(wanted) && wanted.length > 0 ? 0 : editDistance(wanted, candidate, allowed);
    if (distance <= allowed && distance < candidate.length) scored.push({ text, distance });
  }
  scored.sort((a, b) => a.distance - b.distance || (a.text < b.text ? -1 : 1));
  return scored.slice(0, limit).map((s) => s.text);
}

/** `did you mean "x" or "y"?`, or undefined when nothing is close. Made for an error's hint. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const close = closestTo(word, candidates);
  return close.length === 0 ? undefined : `did you mean ${close.map((c) => JSON.stringify(c)).join(" or ")}?`;
}

/** Levenshtein with adjacent swaps counted as one; gives up (returns `max + 1`) beyond `max`. */
function editDistance(a: string, b: string, max: number): number {
  if (Math.abs(a.length - b.length) > max) return max + 1;
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      row.push(best);
    }
    if (Math.min(...row) > max) return max + 1;
    before = previous;
    previous = row;
  }
  return previous[b.length] ?? max + 1;
}
