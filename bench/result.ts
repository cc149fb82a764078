/** A row's outcome, as the report and the JSON file have it. */
import type { Case, Kind, RuntimeName, Target } from "./case.ts";
import { median, quantile } from "./statistics.ts";

/** What a kind's `cost` is printed in, and how two of them are compared. */
export const UNITS: Readonly<
  Record<Kind, {
    readonly unit: "µs" | "ms" | "KiB" | "MB";
    /** So many of what `cost` is in. */
    readonly each: number;
    readonly digits: number;
    readonly by: "ratio" | "difference" | "pace";
  }>
> = {
  speed: { unit: "µs", each: 1, digits: 2, by: "ratio" },
  memory: { unit: "KiB", each: 1024, digits: 2, by: "ratio" },
  start: { unit: "ms", each: 1, digits: 0, by: "difference" },
  rest: { unit: "MB", each: 1e6, digits: 1, by: "difference" },
  latency: { unit: "ms", each: 1, digits: 2, by: "ratio" },
  pace: { unit: "ms", each: 1, digits: 1, by: "pace" },
};

/** One side in one lap, process or start. */
export interface Sample {
  /** In the unit of the kind: CPU microseconds for each message, bytes, or milliseconds. */
  readonly cost: number;
  /** Messages a second. */
  readonly rate?: number;
  /** The part of the time in which the server was busy: below 1 the client was waited for. */
  readonly busy?: number;
}

/** Both sides, one right after the other. */
export interface Round {
  readonly base: Sample;
  readonly portico: Sample;
}

export interface Result {
  readonly runtime: RuntimeName;
  readonly name: string;
  readonly title: string;
  readonly kind: Case["kind"];
  readonly base: Sample;
  readonly portico: Sample;
  /** As {@link compare} has it: the typical one, and the middle half. */
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

/** Judged as printed: with two decimals, or in whole units. */
function isMet(value: number, { cost }: Sample, kind: Case["kind"], target: Target | undefined) {
  if (target === undefined) return undefined;
  if ("more" in target) return Math.round(value / UNITS[kind].each) <= target.more;
  if ("inAll" in target) return Math.round(cost / UNITS[kind].each * 100) / 100 <= target.inAll;
  const rounded = Math.round(value * 100) / 100;
  if ("atLeast" in target) return rounded >= target.atLeast;
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

/** How Portico compares with the base: its part of it, how much more it is, or how many times as quick. */
function compare(kind: Case["kind"], { base, portico }: Round): number {
  const { by } = UNITS[kind];
  if (by === "difference") return portico.cost - base.cost;
  return by === "pace" ? base.cost / portico.cost : portico.cost / base.cost;
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
  const base = typical(rounds.map((round) => round.base));
  const portico = typical(rounds.map((round) => round.portico));
  const ratio = of.kind === "memory" ? compare(of.kind, { base, portico }) : median(values);
  return {
    runtime,
    name: of.name,
    title: of.title,
    kind: of.kind,
    base,
    portico,
    ratio,
    low: quantile(values, 0.25),
    high: quantile(values, 0.75),
    target,
    met: isMet(ratio, portico, of.kind, target),
    rounds,
  };
}
