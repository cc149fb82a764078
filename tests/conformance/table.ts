/**
 * Plays the conformance suite under every runtime, and prints what each adapter can do as a table in
 * Markdown: `node tests/conformance/table.ts`.
 */
import { spawn } from "node:child_process";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Outcome } from "./run.ts";

const root = fileURLToPath(new URL("../..", import.meta.url).href);
const bin = `${root}node_modules/`;

/** By the name in the table: how a file is run. */
const RUNTIMES: Readonly<Record<string, readonly string[]>> = {
  "Node 26": [`${bin}node/bin/node`],
  "Node 24": [`${bin}node24/bin/node`],
  Bun: [`${bin}.bin/bun`],
  Deno: [`${bin}.bin/deno`, "run", "-A", "--no-check", "--unstable-net"],
};

const COLUMNS = { tcp: "TCP", unix: "Unix stream", udp: "UDP", unixgram: "Unix datagram" } as const;

/** The outcomes of one runtime. @throws Error when it cannot be run. */
export async function outcomesOf(command: readonly string[]): Promise<Outcome[]> {
  const [file = "", ...args] = command;
  const child = spawn(file, [...args, "tests/conformance/run.ts"], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`${file} ended with ${code}`);
  return output.split("\n").filter((line) => line.startsWith("{")).map((line) =>
    JSON.parse(line) as Outcome
  );
}

/** By reason: its number, and the cases that are missing for it. */
type Notes = Map<string, { readonly number: number; readonly cases: Set<string> }>;

/** One row: what passed of what there is, with a number for each reason that something is missing. */
export function rowOf(
  name: string,
  outcomes: readonly Outcome[],
  notes: Notes,
): string {
  const cells = Object.keys(COLUMNS).map((transport) => {
    const found = outcomes.find((outcome) => outcome.transport === transport);
    if (found === undefined) return "–";
    const { failed, passed, skipped } = found;
    const marks = Object.keys(skipped).map((reason) => {
      const note = notes.get(reason) ?? { number: notes.size + 1, cases: new Set() };
      notes.set(reason, note);
      for (const name of skipped[reason]!) note.cases.add(name);
      return note.number;
    }).sort((a, b) => a - b);
    if (passed === 0 && failed.length === 0) return `no (${marks.join(", ")})`;
    const word = failed.length > 0 ? `${failed.length} failed, ${passed} passed` : `yes, ${passed}`;
    return marks.length === 0 ? word : `${word} (${marks.join(", ")})`;
  });
  return `| ${[name, ...cells].join(" | ")} |`;
}

/** The whole table, with what the numbers stand for. */
export async function makeTable(): Promise<string> {
  const titles = ["", ...Object.values(COLUMNS)];
  const lines = [`| ${titles.join(" | ")} |`, `|${titles.map(() => "---").join("|")}|`];
  const notes: Notes = new Map();
  let memory: Outcome[] = [];
  for (const [name, command] of Object.entries(RUNTIMES)) {
    const outcomes = await outcomesOf(command);
    const adapters = [...new Set(outcomes.map(({ adapter }) => adapter))];
    memory = outcomes.filter(({ adapter }) => adapter === "memory");
    for (const adapter of adapters.filter((each) => each !== "memory")) {
      const title = adapter === adapters[1] ? name : `${name}, adapter \`${adapter}\``;
      lines.push(rowOf(title, outcomes.filter((outcome) => outcome.adapter === adapter), notes));
    }
  }
  lines.push(rowOf("in memory", memory, notes), "");
  lines.push("Numbers: rules of the conformance suite that hold. Not there:", "");
  for (const [reason, { number, cases }] of notes) {
    const what = cases.size <= 2 ? [...cases].join(", ") : `${cases.size} rules`;
    lines.push(`${number}. ${what}: ${reason}`);
  }
  return lines.join("\n");
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  console.log(await makeTable());
}
