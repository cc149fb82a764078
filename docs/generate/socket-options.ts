/** Socket options by transport and runtime: what `portico doctor` says on each of the three. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { SOCKET_ENTRIES } from "../../runtime/manifest/socket.ts";
import * as v from "valibot";
import { code, table } from "./table.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url).href);
const PROGRAMS = {
  Node: ["node/bin/node"],
  Bun: [".bin/bun"],
  Deno: [".bin/deno", "run", "-A", "--no-check", "--unstable-net"],
} as const;

interface Found {
  readonly option: string;
  readonly transport: string;
  readonly can: boolean;
  readonly reason?: string;
}

function ask([program, ...words]: readonly string[]): readonly Found[] {
  const { stdout } = spawnSync(
    `${ROOT}node_modules/${program}`,
    [...words, `${ROOT}runtime/main.ts`, "doctor", "--json"],
    { encoding: "utf8" },
  );
  return (JSON.parse(stdout) as { options: readonly Found[] }).options;
}

export function socketOptionsPage(): string {
  const runtimes = Object.entries(PROGRAMS).map(([name, words]) => [name, ask(words)] as const);
  const reasons: string[] = [];
  const note = (reason: string): string => {
    if (!reasons.includes(reason)) reasons.push(reason);
    return `no (${reasons.indexOf(reason) + 1})`;
  };
  const rows = Object.entries(SOCKET_ENTRIES).flatMap(([option, entry]) => {
    const found = runtimes.map(([, all]) => all.filter((one) => one.option === option));
    const description = v.getDescription(entry as v.GenericSchema) ??
      v.getDescription((entry as unknown as { wrapped: v.GenericSchema }).wrapped) ?? "";
    const transports = found[0]!.map(({ transport }) => transport);
    const answers = transports.map((transport) =>
      found.map((all) => {
        const one = all.find((each) => each.transport === transport)!;
        return one.can ? "yes" : note(one.reason ?? "");
      })
    );
    // Transports that have the same to say share a row.
    const groups = Map.groupBy(transports, (_, index) => answers[index]!.join());
    return [...groups].map(([key, names], index) => [
      index === 0 ? code(option) : "",
      index === 0 ? description : "",
      names.join(", "),
      ...key.split(","),
    ]);
  });
  return [
    "<!-- Made by `npm run docs:generate`. -->",
    "# Socket options",
    "Keys of an object in `listen`, beside `endpoint`. On Linux, with FFI; `portico doctor` says what this" +
    " machine can do, why not where not, and what the system has an option at when silent.",
    table(["option", "means", "of", ...Object.keys(PROGRAMS)], rows),
    reasons.map((reason, index) => `${index + 1}. ${reason}`).join("\n"),
  ].join("\n\n") + "\n";
}
