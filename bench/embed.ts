/** What a server inside a program costs, beside the runtime's own: `npm run build && npm run bench:embed`, with how many rounds. */
import { execFileSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

const SUBJECT = fileURLToPath(new URL("embed/subject.ts", import.meta.url).href);
const RUNTIMES: Readonly<Record<string, readonly string[]>> = {
  node: ["node", "--expose-gc"],
  bun: ["bun"],
  deno: ["deno", "run", "-A", "--no-check", "--v8-flags=--expose-gc"],
};
const SIDES = ["bare", "source", "package"] as const;
const rounds = Number(process.argv[2] ?? 9);

type Figures = Readonly<Record<"load" | "serve" | "echo" | "rss", number>>;

function median(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): string => sorted[Math.floor((sorted.length - 1) * share)]!.toFixed(1);
  return `${at(0.5)} (${at(0.25)}–${at(0.75)})`;
}

console.log(
  "runtime  side     load ms, serve ms, to the first echo ms, resident MiB: median (quartiles)",
);
for (const [name, [program, ...words]] of Object.entries(RUNTIMES)) {
  const found: Record<(typeof SIDES)[number], Figures[]> = { bare: [], source: [], package: [] };
  // The first round of each pays for caches, and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const side of round % 2 === 0 ? SIDES : SIDES.toReversed()) {
      const out = execFileSync(program!, [...words, SUBJECT, side], { encoding: "utf8" });
      if (round > 0) found[side].push(JSON.parse(out) as Figures);
    }
  }
  for (const side of SIDES) {
    const cells = (["load", "serve", "echo", "rss"] as const)
      .map((key) => median(found[side].map((figures) => figures[key])).padEnd(22));
    console.log(`${name.padEnd(8)} ${side.padEnd(8)} ${cells.join("")}`.trimEnd());
  }
}
