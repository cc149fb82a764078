/** The tables of a profile. */
import type { Share } from "./cpuprofile.ts";
import type { Recording } from "./record.ts";
import type { Calls } from "./syscalls.ts";

/** Names of places may hold what Markdown takes for its own. */
const cell = (text: string): string => text.replaceAll("|", "\\|");

function shares(title: string, list: readonly Share[], top: number, cost: number): string[] {
  return [
    "",
    `| each | part | ${title} |`,
    "| ---: | ---: | --- |",
    ...list.slice(0, top).map(({ name, part }) =>
      `| ${(part * cost).toFixed(2)} | ${(part * 100).toFixed(1)} % | ${cell(name)} |`
    ),
  ];
}

/** What one server has spent its time on. */
export function profile(
  name: string,
  { functions, files, samples, cost, file }: Recording,
  top: number,
  unit: string,
): string {
  return [
    `**${name}**: ${cost.toFixed(2)} ${unit}, ${samples} samples, ${file}`,
    ...shares("function, itself", functions, top, cost),
    ...shares("file", files, top, cost),
    "",
  ].join("\n");
}

/** System calls of both, for each message; those that are rarer than one in a thousand are left out. */
export function syscalls(base: Calls, portico: Calls): string {
  const names = [...new Set([...portico.keys(), ...base.keys()])].filter((name) =>
    Math.max(base.get(name) ?? 0, portico.get(name) ?? 0) >= 0.001
  );
  const number = (calls: Calls, name: string): string => (calls.get(name) ?? 0).toFixed(3);
  return [
    "| system calls for each message | base | Portico |",
    "| --- | ---: | ---: |",
    ...names.map((name) => `| ${name} | ${number(base, name)} | ${number(portico, name)} |`),
    "",
  ].join("\n");
}
