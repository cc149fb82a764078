/** What a part of the benchmark hands to the report. */
import type { RuntimeName } from "../case.ts";
import type { Runtime } from "../runtimes.ts";
import type { Pace } from "./pace.ts";

/** A row: its cells are for people, its values are the numbers behind them. */
export interface Row {
  readonly cells: readonly string[];
  readonly values: Readonly<Record<string, unknown>>;
}

/** A row that is there, or the reason why it is not. */
export type Made =
  & {
    readonly runtime: RuntimeName;
    readonly label: string;
    /** The part of all cores that others had meanwhile: what two cores are worth is then not seen. */
    readonly others: number;
  }
  & (Row | { readonly error: string });

/** One table of the report. */
export interface Part {
  /** For `--part`. */
  readonly name: string;
  readonly title: string;
  /** What was done, in a sentence or two. */
  readonly text: string;
  /** Column heads behind the runtime; the first is that of the labels. */
  readonly head: readonly string[];
  /** Measures the rows of one runtime. */
  readonly rows: (runtime: Runtime, pace: Pace) => readonly Task[];
}

/** One row to be made. */
export interface Task {
  readonly label: string;
  readonly make: () => Promise<Row>;
}

/** Milliseconds, with two digits that mean something. */
export function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`;
}

export function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** A ratio against its target, as in `1.92 (≥ 1.85: yes)`. */
export function judged(ratio: number, target: number, way: "least" | "most"): string {
  const rounded = Math.round(ratio * 100) / 100;
  const met = way === "least" ? rounded >= target : rounded <= target;
  const sign = way === "least" ? "≥" : "≤";
  return `${ratio.toFixed(2)} (${sign} ${target.toFixed(2)}: ${met ? "yes" : "**no**"})`;
}
