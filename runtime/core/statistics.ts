/** What is counted beside {@link Counters}, at rare events and at the end of a session: for metrics. */

/** The upper bounds of the buckets of {@link Statistics.durations}, in seconds; the last one has none. */
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

/** The upper bounds of the buckets of {@link Delays}, in seconds; the last one has none. */
export const DELAY_BUCKETS: readonly number[] = [
  0.001,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  5,
];

/** How much later than asked timers came: what an event loop keeps others waiting. */
export interface Delays {
  /** How many were so late, by bucket; not cumulative. */
  readonly buckets: number[];
  /** Of all of them together. */
  seconds: number;
}

/** Nothing measured yet. */
export function newDelays(): Delays {
  return { buckets: new Array<number>(DELAY_BUCKETS.length + 1).fill(0), seconds: 0 };
}

/** Counts one timer. */
export function countDelay(delays: Delays, seconds: number): void {
  delays.buckets[bucketOf(DELAY_BUCKETS, seconds)]!++;
  delays.seconds += seconds;
}

/** Plain objects: they travel from workers. */
export interface Statistics {
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
  /** Of the event loops of workers. */
  readonly delays: Delays;
  /** Grows with everything above: equal where nothing has changed. */
  changes: number;
}

/** Nothing counted yet. */
export function newStatistics(): Statistics {
  const durations = new Array<number>(BUCKETS.length + 1).fill(0);
  const delays = newDelays();
  return { refused: {}, ended: {}, errors: {}, durations, totalMs: 0, delays, changes: 0 };
}

function bucketOf(bounds: readonly number[], value: number): number {
  let bucket = 0;
  while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
  return bucket;
}

/** Causes that are counted each by its name; those beyond share one, `others`. */
const CAUSES = 256;

/** Counts one refusal or error. */
export function count(statistics: Statistics, kind: "refused" | "errors", cause: string): void {
  const known = Object.hasOwn(statistics[kind], cause) ||
    Object.keys(statistics[kind]).length < CAUSES;
  const key = known ? cause : "others";
  statistics[kind][key] = (statistics[kind][key] ?? 0) + 1;
  statistics.changes++;
}

/** Counts the end of a session. */
export function countEnd(statistics: Statistics, reason: string, durationMs: number): void {
  statistics.ended[reason] = (statistics.ended[reason] ?? 0) + 1;
  statistics.durations[bucketOf(BUCKETS, durationMs / 1000)]!++;
  statistics.totalMs += durationMs;
  statistics.changes++;
}

/** Adds to statistics what others have grown by since `before`. */
export function addGrowth(total: Statistics, now: Statistics, before: Statistics): void {
  for (const kind of ["refused", "ended", "errors"] as const) {
    for (const [key, value] of Object.entries(now[kind])) {
      total[kind][key] = (total[kind][key] ?? 0) + value - (before[kind][key] ?? 0);
    }
  }
  addBuckets(total.durations, now.durations, before.durations);
  total.totalMs += now.totalMs - before.totalMs;
  addBuckets(total.delays.buckets, now.delays.buckets, before.delays.buckets);
  total.delays.seconds += now.delays.seconds - before.delays.seconds;
  total.changes += now.changes - before.changes;
}

function addBuckets(total: number[], now: readonly number[], before: readonly number[]): void {
  now.forEach((value, bucket) => {
    total[bucket]! += value - before[bucket]!;
  });
}
