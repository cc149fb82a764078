/** What becomes of a newcomer at a limit, for each limit. */
import type { Candidate } from "./candidate.ts";

/**
 * `wait`: until there is room, unread, in order. `refuse`: closed in order, a request with a status.
 * `reset`: closed with a reset. `drop`: a datagram, of which nobody hears. `shed`: the session that has
 * been idle longest ends, and the newcomer is let in.
 */
export const OVERFLOW_WORDS = ["wait", "refuse", "reset", "drop", "shed"] as const;

/** One of {@link OVERFLOW_WORDS}. */
export type OverflowWord = typeof OVERFLOW_WORDS[number];

/** The words that a limit can have. Waiting brings no place in one's own rate back sooner, and no lower load. */
export const WORDS_OF = {
  sessions: OVERFLOW_WORDS,
  perSource: OVERFLOW_WORDS,
  rate: ["wait", "refuse", "reset", "drop"],
  ratePerSource: ["refuse", "reset", "drop"],
  load: ["refuse", "reset", "drop"],
} as const satisfies Record<string, readonly OverflowWord[]>;

/** A limit that somebody can be beyond. */
export type OverflowLimit = keyof typeof WORDS_OF;

/** The word of each limit. */
export type Overflow = { readonly [Limit in OverflowLimit]: OverflowWord };

/** The words that mean something to a kind of sessions; whoever is of another kind is refused. */
export const WORDS_FOR: Readonly<Record<Candidate["kind"], readonly OverflowWord[]>> = {
  stream: ["wait", "refuse", "reset", "shed"],
  datagram: ["refuse", "drop"],
  http: ["wait", "refuse"],
};

/** One word for all limits: where it means nothing, newcomers are refused. */
export function overflowOf(word: OverflowWord): Overflow {
  const limits = Object.entries(WORDS_OF) as [OverflowLimit, readonly OverflowWord[]][];
  return Object.fromEntries(
    limits.map(([limit, words]) => [limit, words.includes(word) ? word : "refuse"]),
  ) as Overflow;
}

/** Whether anybody ends for newcomers. */
export function sheds({ sessions, perSource }: Overflow): boolean {
  return sessions === "shed" || perSource === "shed";
}

/** Whether whoever is refused for that is sent a reset. */
export function resets(overflow: Overflow, why: object): boolean {
  return "limit" in why && overflow[why.limit as OverflowLimit] === "reset";
}
