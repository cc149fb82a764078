/** The tables for people: Markdown, for docs/performance.md. */
import type { Target } from "./case.ts";
import type { Machine } from "./machine.ts";
import type { Settings } from "./settings.ts";
import { type Failure, type Result, type Sample, UNITS } from "./result.ts";

const TITLES: Readonly<Record<string, string>> = {
  node: "Node",
  node24: "Node",
  deno: "Deno",
  bun: "Bun",
};

function cost(kind: Result["kind"], sample: Sample): string {
  const { unit, each, digits } = UNITS[kind];
  return `${(sample.cost / each).toFixed(digits)} ${unit}`;
}

function rate(sample: Sample): string {
  if (sample.rate === undefined) return "";
  return Math.round(sample.rate).toLocaleString("en-US");
}

function comparison({ kind }: Result, value: number): string {
  const { unit, each, digits, by } = UNITS[kind];
  if (by !== "difference") return value.toFixed(2);
  return `${value < 0 ? "−" : "+"}${(Math.abs(value) / each).toFixed(digits)} ${unit}`;
}

function promise(kind: Result["kind"], target: Target | undefined): string {
  if (target === undefined) return "–";
  const { unit } = UNITS[kind];
  if ("more" in target) return `≤ +${target.more} ${unit}`;
  if ("inAll" in target) return `≤ ${target.inAll} ${unit}`;
  if ("atLeast" in target) return `≥ ${target.atLeast.toFixed(2)}`;
  return "below" in target ? `< ${target.below.toFixed(2)}` : `≤ ${target.atMost.toFixed(2)}`;
}

const VERDICT = { true: "yes", false: "**no**", undefined: "–" } as const;

function line(row: Result | Failure): string {
  if ("error" in row) return `| ${row.title} | | | | | not measured | | | |`;
  const cells = [
    row.title,
    cost(row.kind, row.base),
    cost(row.kind, row.portico),
    rate(row.base),
    rate(row.portico),
    comparison(row, row.ratio),
    `${comparison(row, row.low)} … ${comparison(row, row.high)}`,
    promise(row.kind, row.target),
    VERDICT[`${row.met}`],
  ];
  return `| ${cells.join(" | ")} |`;
}

/** One line of progress. */
export function brief(row: Result | Failure): string {
  if ("error" in row) return `${row.runtime} ${row.name}: ${row.error}`;
  const { base, portico } = row;
  const busy = base.busy === undefined
    ? ""
    : `, busy ${base.busy.toFixed(2)} and ${portico.busy?.toFixed(2)}`;
  return `${row.runtime} ${row.name}: ${cost(row.kind, base)} → ${cost(row.kind, portico)}, ` +
    `${comparison(row, row.ratio)} (${comparison(row, row.low)} … ${comparison(row, row.high)})` +
    `${busy}, target ${promise(row.kind, row.target)}: ${
      VERDICT[`${row.met}`].replaceAll("*", "")
    }`;
}

/** What `--json` keeps. */
export interface Report {
  readonly machine: Machine;
  readonly settings: Settings;
  readonly rows: (Result | Failure)[];
}

/** What stands in the two columns of a comparison. */
function columns({ self, against }: Settings): readonly [string, string] {
  if (self) return ["base", "the same again"];
  return against === undefined ? ["base", "Portico"] : ["before", "this checkout"];
}

/** The whole report. */
export function markdown({ machine, settings, rows }: Report): string {
  const { processor, cores, system, date, client } = machine;
  const place = machine.pinned
    ? "The server and its client have a core each."
    : "The server and its client were not pinned to a core each: expect noise.";
  const load = client === "C"
    ? "The load generator is one process, in C."
    : "There is no C compiler: the load generator runs on Bun, and some rows are not measured.";
  const [base, other] = columns(settings);
  const tables = machine.runtimes.map(({ name, version }) =>
    [
      `## ${TITLES[name]} ${version}`,
      "",
      `| | ${base} | ${other} | ${base}, a second | ${other}, a second | ${other} ÷ ${base} | middle half | target | met |`,
      "|---|--:|--:|--:|--:|--:|--:|--:|---|",
      ...rows.filter((row) => row.runtime === name).map(line),
    ].join("\n")
  );
  return [
    `Measured on ${date}: ${processor}, ${cores} cores, ${system}. ${place} ${load} Server CPU time for ` +
    "each message (or connection, request, MiB), median of the laps; the ratio is the median over laps of " +
    "both in turn. The base is the runtime's own API, as its documentation has it, where a row names no other.",
    ...tables,
  ].join("\n\n") + "\n";
}
