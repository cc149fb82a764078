/**
 * Runs the cases under each runtime, and prints what holds where: a Markdown table for each, with a
 * row for a case, a column for a strategy, and in its cells the transports.
 *
 *     node tests/parity/print.ts [--runtime node|bun|deno]... [--strategy NAME]... [--patience MS] [--why]
 *
 * `--why` adds the first line of every failure. Exits with 1 when anything has failed.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { STRATEGY_NAMES } from "../../runtime/core/plan.ts";

const root = fileURLToPath(new URL("../..", import.meta.url).href);
const modules = join(root, "node_modules");
const filesOf = (strategies: readonly string[]): string[] =>
  strategies.map((strategy) => `tests/parity/${strategy}_test.ts`);

/** How each runtime is told to run the cases, with a report in JUnit's XML, which all of them write. */
const RUNNERS: Readonly<Record<string, (report: string) => readonly string[]>> = {
  node: (report) => [
    join(modules, "node/bin/node"),
    "--test",
    "--test-concurrency=1",
    "--test-reporter=junit",
    `--test-reporter-destination=${report}`,
  ],
  bun: (report) => [
    join(modules, ".bin/bun"),
    "test",
    "--timeout",
    "60000",
    "--reporter=junit",
    `--reporter-outfile=${report}`,
  ],
  deno: (report) => [
    join(modules, ".bin/deno"),
    "test",
    "-A",
    "--no-check",
    "--unstable-net",
    `--junit-path=${report}`,
  ],
};

/** A runner that takes longer, in ms, is stopped: something hangs. */
const LIMIT = 900_000;

const SIGNS = { passed: "✓", failed: "✗", skipped: "–" } as const;
type Outcome = keyof typeof SIGNS;

/** What became of one test. */
interface Result {
  readonly kase: string;
  readonly strategy: string;
  readonly transport: string;
  readonly outcome: Outcome;
  /** Why it failed. */
  readonly why: string;
}

function decode(text: string): string {
  const names: Readonly<Record<string, string>> = { quot: '"', apos: "'", lt: "<", gt: ">" };
  return text.replace(
    /&#(x?)([0-9a-f]+);/gi,
    (_, hex, digits) => String.fromCodePoint(parseInt(digits, hex === "" ? 10 : 16)),
  )
    .replace(/&(quot|apos|lt|gt);/g, (_, name) => names[name]!)
    .replaceAll("&amp;", "&");
}

/** Reads a report. A name is `CASE: STRATEGY, TRANSPORT`. */
function parse(xml: string): Result[] {
  const tests = xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g);
  return [...tests].flatMap(([, head = "", body = ""]) => {
    const name = decode(/\bname="([^"]*)"/.exec(head)?.[1] ?? "");
    const found = /^(.*): (\w+), (\w+)$/.exec(name);
    if (found === null) return [];
    const [, kase, strategy, transport] = found as unknown as [string, string, string, string];
    const outcome = /<(failure|error)\b/.test(body)
      ? "failed"
      : /<skipped\b/.test(body)
      ? "skipped"
      : "passed";
    return [{ kase, strategy, transport, outcome, why: reason(body) }];
  });
}

/** What went wrong, in one line: the message, without the places in the code. */
function reason(body: string): string {
  const message = /<(?:failure|error)\b[^>]*?message="([^"]*)"/.exec(body)?.[1] ?? "";
  const text = message === "" ? body.replace(/<[^>]*>/g, "") : decode(message);
  const lines = text.split("\n").map((line) => line.trim());
  const end = lines.findIndex((line) => /^at |^\(?file:|^\[cause\]/.test(line));
  return lines.slice(0, end < 0 ? undefined : end).filter((line) => line !== "").join(" ")
    .replaceAll("`", "'").slice(0, 300);
}

async function run(runtime: string): Promise<Result[]> {
  const folder = mkdtempSync(join(tmpdir(), "portico-parity-"));
  try {
    const report = join(folder, "report.xml");
    const [program, ...words] = RUNNERS[runtime]!(report) as [string, ...string[]];
    const { patience, strategy = STRATEGY_NAMES } = values;
    const more = {
      ...(patience !== undefined && { PARITY_PATIENCE: patience }),
      PARITY_WHOLE: "1",
    };
    const child = spawn(program, [...words, ...filesOf(strategy)], {
      cwd: root,
      stdio: "ignore",
      env: { ...process.env, NO_COLOR: "1", ...more },
    });
    const late = setTimeout(() => child.kill("SIGKILL"), LIMIT);
    await new Promise((resolve) => child.once("close", resolve));
    clearTimeout(late);
    return parse(readFileSync(report, "utf8"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

/** One sign where all transports are alike, but for those that are left out; else one for each. */
function cell(results: readonly Result[]): string {
  const ran = results.filter(({ outcome }) => outcome !== "skipped");
  if (ran.length === 0) return results.length === 0 ? "" : SIGNS.skipped;
  const signs = unique(ran.map(({ outcome }) => SIGNS[outcome]));
  const left = results.filter(({ outcome }) => outcome === "skipped");
  const more = left.map(({ transport }) => ` ${transport} ${SIGNS.skipped}`).join("");
  if (signs.length === 1) return `${signs[0]}${more}`;
  return ran.map(({ transport, outcome }) => `${transport} ${SIGNS[outcome]}`).join(" ") + more;
}

function table(results: readonly Result[]): string {
  const strategies = unique(results.map(({ strategy }) => strategy));
  const rows = unique(results.map(({ kase }) => kase)).map((kase) => [
    kase,
    ...strategies.map((strategy) =>
      cell(results.filter((one) => one.kase === kase && one.strategy === strategy))
    ),
  ]);
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = line(["case", ...strategies].map(() => "---"));
  return [line(["case", ...strategies]), rule, ...rows.map(line)].join("\n");
}

const { values } = parseArgs({
  options: {
    runtime: { type: "string", multiple: true },
    strategy: { type: "string", multiple: true },
    patience: { type: "string" },
    why: { type: "boolean", default: false },
  },
});
const names = values.runtime ?? Object.keys(RUNNERS);
const unknown = names.find((name) => RUNNERS[name] === undefined);
if (unknown !== undefined) {
  console.error(`no runtime ${unknown}: one of ${Object.keys(RUNNERS).join(", ")}`);
  process.exit(2);
}
for (const name of names) {
  const began = performance.now();
  const results = await run(name);
  const count = (outcome: Outcome): number =>
    results.filter((one) => one.outcome === outcome).length;
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  const [passed, failed, skipped] = [count("passed"), count("failed"), count("skipped")];
  console.log(`## ${name}\n`);
  console.log(`${passed} passed ✓, ${failed} failed ✗, ${skipped} skipped –, ${seconds} s\n`);
  console.log(`${table(results)}\n`);
  if (failed > 0 || passed === 0) process.exitCode = 1;
  if (!values.why) continue;
  for (const { kase, strategy, transport, outcome, why } of results) {
    if (outcome === "failed") console.log(`- ${kase}: ${strategy}, ${transport}: \`${why}\``);
  }
}
