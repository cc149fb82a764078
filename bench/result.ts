/** A row's outcome, as the report and the JSON file have it. */
import type { Case, RuntimeName, Target } from "./cases.ts";
import { median, quantile } from "./statistics.ts";

/** One side in one lap, process or start. */
export interface Sample {
  /** CPU microseconds for each message, bytes for each connection, or milliseconds to the start. */
  readonly cost: number;
  /** Messages a second. */
  readonly rate?: number;
  /** The part of the time in which the server was busy: below 1 the client was waited for. */
  readonly busy?: number;
}

/** Both sides, one right after the other. */
export interface Round {
  readonly bare: Sample;
  readonly portico: Sample;
}

export interface Result {
  readonly runtime: RuntimeName;
  readonly name: string;
  readonly title: string;
  readonly kind: Case["kind"];
  readonly bare: Sample;
  readonly portico: Sample;
  /** Portico ÷ bare; milliseconds more for `start`. The typical one, and the middle half. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  readonly target: Target | undefined;
  readonly met: boolean | undefined;
  readonly rounds: readonly Round[];
}

/** A row that could not be measured. */
export interface Failure {
  readonly runtime: RuntimeName;
  readonly name: string;
  readonly title: string;
  readonly error: string;
}

/** Judged as printed: with two decimals, or in whole milliseconds. */
function isMet(value: number, target: Target | undefined): boolean | undefined {
  if (target === undefined) return undefined;
  if ("more" in target) return Math.round(value) <= target.more;
  const rounded = Math.round(value * 100) / 100;
  return "below" in target ? rounded < target.below : rounded <= target.atMost;
}

function typical(samples: readonly Sample[]): Sample {
  const known = (values: (number | undefined)[]): number[] =>
    values.filter((value) => value !== undefined);
  const rates = known(samples.map((sample) => sample.rate));
  const busy = known(samples.map((sample) => sample.busy));
  return {
    cost: median(samples.map((sample) => sample.cost)),
    ...(rates.length > 0 && { rate: median(rates) }),
    ...(busy.length > 0 && { busy: median(busy) }),
  };
}

/** How Portico compares with bare: a ratio, or the difference of start-up times. */
function compare(kind: Case["kind"], { bare, portico }: Round): number {
  return kind === "start" ? portico.cost - bare.cost : portico.cost / bare.cost;
}

/**
 * Sums the rounds of a case up. Laps are compared one with another, as both sides of a round have had
 * the same weather; memory has none, so there it is median with median.
 */
export function conclude(
  runtime: RuntimeName,
  of: Case,
  rounds: readonly Round[],
  target: Target | undefined,
): Result {
  const values = rounds.map((round) => compare(of.kind, round));
  const bare = typical(rounds.map((round) => round.bare));
  const portico = typical(rounds.map((round) => round.portico));
  const ratio = of.kind === "memory" ? compare(of.kind, { bare, portico }) : median(values);
  return {
    runtime,
    name: of.name,
    title: of.title,
    kind: of.kind,
    bare,
    portico,
    ratio,
    low: quantile(values, 0.25),
    high: quantile(values, 0.75),
    target,
    met: isMet(ratio, target),
    rounds,
  };
}
