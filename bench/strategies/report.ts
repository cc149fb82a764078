/** The tables for people: Markdown, for docs/performance.md. */
import type { Machine } from "../machine.ts";
import type { Made, Part } from "./part.ts";
import { noise } from "./quiet.ts";

const TITLES: Readonly<Record<string, string>> = {
  node: "Node",
  node24: "Node",
  deno: "Deno",
  bun: "Bun",
};

/** What a part has come to. */
export interface Section {
  readonly part: Part;
  readonly rows: readonly Made[];
}

function line(row: Made, { part, machine }: { part: Part; machine: Machine }): string {
  const version = machine.runtimes.find(({ name }) => name === row.runtime)?.version;
  const cells = [`${TITLES[row.runtime]} ${version}`, row.label];
  if ("error" in row) {
    const rest = part.head.length - 1;
    cells.push(`not measured`, ...Array.from({ length: rest - 1 }, () => ""));
  } else cells.push(...row.cells);
  return `| ${cells.join(" | ")} |`;
}

function table({ part, rows }: Section, machine: Machine): string {
  const [label, ...heads] = part.head;
  return [
    `**${part.title}**`,
    "",
    part.text,
    "",
    `| | ${[label, ...heads].join(" | ")} |`,
    `|---|---|${heads.map(() => "--:").join("|")}|`,
    ...rows.map((row) => line(row, { part, machine })),
  ].join("\n");
}

/** One line of progress. */
export function brief(part: Part, row: Made): string {
  const what = `${part.name} ${row.runtime} ${row.label}`;
  return `${what}: ${"error" in row ? row.error : row.cells.join(" | ")}${noise(row.others)}`;
}

/** The whole report. */
export function markdown(machine: Machine, sections: readonly Section[]): string {
  const { processor, cores, system, date } = machine;
  const others = Math.max(
    0,
    ...sections.flatMap(({ rows }) => rows.map((row) => row.others)),
  );
  return [
    `Measured on ${date}: ${processor}, ${cores} cores, ${system}.${noise(others)}`,
    ...sections.map((section) => table(section, machine)),
  ].join("\n\n") + "\n";
}
