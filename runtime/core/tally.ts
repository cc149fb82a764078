/** What is counted beside {@link Counters}, on rare events and at the end of a session: for metrics. */

/** The upper bounds of the buckets of {@link Tally.durations}, in seconds; the last one has none. */
export const BUCKETS: readonly number[] = [
  0.001,
  0.005,
  0.025,
  0.1,
  0.5,
  1,
  5,
  30,
  120,
  600,
  3600,
];

/** Plain objects: they travel from workers. */
export interface Tally {
  /** By limit or rule. */
  readonly refused: Record<string, number>;
  /** Streams and requests, by the reason of their end. */
  readonly ended: Record<string, number>;
  /** By `CODE side`. */
  readonly errors: Record<string, number>;
  /** How many of those that ended took so long, by bucket; not cumulative. */
  readonly durations: number[];
  /** Milliseconds, of all of them together. */
  totalMs: number;
  /** Grows with everything above: equal where nothing has changed. */
  changes: number;
}

/** An empty one. */
export function newTally(): Tally {
  const durations = new Array<number>(BUCKETS.length + 1).fill(0);
  return { refused: {}, ended: {}, errors: {}, durations, totalMs: 0, changes: 0 };
}

/** Counts one refusal or error. */
export function count(tally: Tally, kind: "refused" | "errors", key: string): void {
  tally[kind][key] = (tally[kind][key] ?? 0) + 1;
  tally.changes++;
}

/** Counts the end of a session. */
export function countEnd(tally: Tally, reason: string, durationMs: number): void {
  tally.ended[reason] = (tally.ended[reason] ?? 0) + 1;
  const seconds = durationMs / 1000;
  let bucket = 0;
  while (bucket < BUCKETS.length && seconds > BUCKETS[bucket]!) bucket++;
  tally.durations[bucket]!++;
  tally.totalMs += durationMs;
  tally.changes++;
}

/** Adds to a tally what another one has grown by since `before`. */
export function addGrowth(total: Tally, now: Tally, before: Tally): void {
  for (const kind of ["refused", "ended", "errors"] as const) {
    for (const [key, value] of Object.entries(now[kind])) {
      total[kind][key] = (total[kind][key] ?? 0) + value - (before[kind][key] ?? 0);
    }
  }
  now.durations.forEach((value, bucket) => {
    total.durations[bucket]! += value - before.durations[bucket]!;
  });
  total.totalMs += now.totalMs - before.totalMs;
  total.changes += now.changes - before.changes;
}
