/** The tables for people: Markdown, for docs/performance.md. */
import type { Target } from "./case.ts";
import type { Machine } from "./machine.ts";
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

/** The whole report. @param other what the bare servers are compared with. */
export function markdown(
  machine: Machine,
  rows: readonly (Result | Failure)[],
  other: string,
): string {
  const { processor, cores, system, date } = machine;
  const place = machine.pinned
    ? "The server and its client have a core each."
    : "The server and its client were not pinned to a core each: expect noise.";
  const tables = machine.runtimes.map(({ name, version }) =>
    [
      `**${TITLES[name]} ${version}**`,
      "",
      `| | bare | ${other} | bare, a second | ${other}, a second | ${other} ÷ bare | middle half | target | met |`,
      "|---|--:|--:|--:|--:|--:|--:|--:|---|",
      ...rows.filter((row) => row.runtime === name).map(line),
    ].join("\n")
  );
  return [
    `Measured on ${date}: ${processor}, ${cores} cores, ${system}. ${place} Server CPU time for each ` +
    "message (or connection), median of the laps; the ratio is the median over laps of both in turn.",
    ...tables,
  ].join("\n\n") + "\n";
}
