/**
 * The candidate that `word` was probably meant to be, or undefined when none is near enough to be a
 * slip of the hand: up to a third of its letters may be wrong, missing, too many or swapped. A word
 * that begins with another, as `warning` does with `warn`, is nearer than one with a wrong letter.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const lower = word.toLowerCase();
  let best: string | undefined;
  let least = Math.max(1, Math.floor((word.length + 1) / 3)) + 1;
  for (const candidate of candidates) {
    const other = candidate.toLowerCase();
    const distance = begins(lower, other) ? 0.5 : editDistance(lower, other);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/** Whether a word is one of these but for a slip of the hand: one letter, two that are swapped, or capitals. */
export function isSlip(word: string, candidates: readonly string[]): boolean {
  const lower = word.toLowerCase();
  const letters = (text: string): string => [...text].toSorted().join("");
  return !candidates.includes(word) && candidates.some((candidate) => {
    const other = candidate.toLowerCase();
    const distance = editDistance(lower, other);
    return distance === 0 ||
      (distance === 1 && (word.length > 4 || letters(lower) === letters(other)));
  });
}

function begins(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return a !== b && short.length >= 3 && long.startsWith(short);
}

/** Damerau and Levenshtein's distance: insertions, deletions, changes, and swaps of neighbours. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const change = a[row - 1] === b[column - 1] ? 0 : 1;
      let cost = Math.min(
        previous[column]! + 1,
        current[column - 1]! + 1,
        previous[column - 1]! + change,
      );
      if (
        row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      ) {
        cost = Math.min(cost, before[column - 2]! + 1);
      }
      current.push(cost);
    }
    before = previous;
    previous = current;
  }
  return previous[b.length]!;
}

/** `did you mean "x"?`, or undefined when nothing is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const found = nearest(word, candidates);
  return found === undefined ? undefined : `did you mean ${JSON.stringify(found)}?`;
}
