/** How large things are and how fast they start, into docs/sizes.md: `npm run sizes`. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url).href);
const folder = mkdtempSync(join(tmpdir(), "portico-sizes-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const bin = (name: string): string => join(root, "node_modules/.bin", name);

/** Starts of each, of which the median counts. */
const STARTS = 9;
/** How long a server has had nothing to do when its memory is read, in ms. */
const IDLE = 2000;

/** Runs a program to its end; undefined, with a word on what it said, when it failed. */
function run(cwd: string, program: string, ...words: readonly string[]): string | undefined {
  const { status, stdout, stderr } = spawnSync(program, words, { cwd, encoding: "utf8" });
  if (status === 0) return stdout;
  const why = `${stderr}${stdout}`.split("\n").filter((line) => /rror/.test(line)).join("; ");
  console.error(`${program} ${words[0]}: ${why.slice(0, 300)}`);
  return undefined;
}

const MB = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const KB = (bytes: number): string => `${Math.round(bytes / 1000)} KB`;

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly unknown[];
}

/** The package, and what an install of it brings. */
function measurePackage(): string[][] {
  const words = ["pack", "--json", "--foreground-scripts=false", "--pack-destination", folder];
  const out = run(root, "npm", ...words);
  if (out === undefined) throw new Error("npm pack failed");
  const [packed] = Object.values(JSON.parse(out) as Record<string, Packed>);
  const { filename, size, unpackedSize, files } = packed!;
  const installed = [["with `koffi`"], ["without", "--omit=optional"]].map(([name, ...flags]) => {
    const home = join(folder, `install-${flags.length}`);
    mkdirSync(home);
    writeFileSync(join(home, "package.json"), `{ "private": true }`);
    const all = ["install", "--no-audit", "--no-fund", ...flags, join(folder, filename)];
    if (run(home, "npm", ...all) === undefined) return [`installed, ${name}`, "not measured"];
    const inside = globSync("node_modules/**/*", { cwd: home, withFileTypes: true })
      .filter((entry) => entry.isFile());
    const bytes = inside.map((entry) => statSync(join(entry.parentPath, entry.name)).size);
    const count = globSync("node_modules/{*,@*/*}/package.json", { cwd: home }).length;
    const sum = bytes.reduce((total, each) => total + each, 0);
    return [`installed, ${name}`, `${MB(sum)}, ${count} packages, ${inside.length} files`];
  });
  return [
    ["the package", KB(size)],
    ["unpacked", `${MB(unpackedSize)}, ${files.length} files`],
    ...installed,
  ];
}

const MANIFEST = {
  control: false,
  services: { echo: { plugin: "echo", listen: "tcp://127.0.0.1:0", log: "json" } },
};

/** How each runtime makes the least executable that there is. */
const HELLO: Readonly<Record<string, (file: string) => readonly string[]>> = {
  node: () => ["--build-sea", "hello.json"],
  bun: (file) => ["build", "--compile", "--outfile", file, "hello.mjs"],
  deno: (file) => ["compile", "-A", "--no-check", "--output", file, "hello.mjs"],
};

/** From its start to the line that `ready` knows, in ms; and its memory when it idles, in bytes. */
async function start(
  file: string,
  words: readonly string[],
  ready: (line: string) => boolean,
): Promise<{ readonly took: number; readonly memory: number }> {
  const began = performance.now();
  const child = spawn(file, words, { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
  const lines = createInterface({ input: child.stdout });
  const took = await new Promise<number>((resolve) => {
    lines.on("line", (line) => ready(line) && resolve(performance.now() - began));
  });
  await sleep(IDLE);
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  const memory = Number(/VmRSS:\s*(\d+)/.exec(status)![1]) * 1024;
  child.kill("SIGTERM");
  await once(child, "close");
  return { took, memory };
}

async function median(
  file: string,
  words: readonly string[],
  ready: (line: string) => boolean,
): Promise<readonly [string, string]> {
  const all = [];
  for (let count = 0; count < STARTS; count++) all.push(await start(file, words, ready));
  const middle = (numbers: readonly number[]): number =>
    numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
  const took = middle(all.map((one) => one.took));
  return [`${took.toFixed(0)} ms`, MB(middle(all.map((one) => one.memory)))];
}

async function measureExecutables(): Promise<string[][]> {
  writeFileSync(join(folder, "portico.json"), JSON.stringify(MANIFEST));
  // It goes on, as a server does.
  writeFileSync(join(folder, "hello.mjs"), `console.log("hello"); setInterval(() => {}, 1e6);\n`);
  const rows: string[][] = [];
  for (const [runtime, words] of Object.entries(HELLO)) {
    const hello = join(folder, `hello-${runtime}`);
    const config = { main: "hello.mjs", mainFormat: "module", output: hello };
    writeFileSync(
      join(folder, "hello.json"),
      JSON.stringify({ ...config, disableExperimentalSEAWarning: true }),
    );
    const server = join(folder, `echo-${runtime}`);
    const all = ["compile", folder, "--to", server, "--runtime", runtime];
    const made = run(folder, bin(runtime), ...words(hello)) !== undefined &&
      run(folder, process.execPath, join(root, "runtime/main.ts"), ...all) !== undefined;
    if (!made) {
      rows.push([runtime, ...Array.from({ length: 6 }, () => "not measured")]);
      continue;
    }
    const [helloStart, helloMemory] = await median(hello, [], (line) => line === "hello");
    const [ready, memory] = await median(server, ["run"], (line) => line.includes('"ready"'));
    rows.push([
      run(folder, bin(runtime), "--version")!.split("\n")[0]!.replace(/ \(.*/, "").replace(
        /^v/,
        "node ",
      )
        .replace(/^(?=\d)/, `${runtime} `),
      MB(statSync(hello).size),
      MB(statSync(server).size),
      helloStart,
      ready,
      helloMemory,
      memory,
    ]);
  }
  return rows;
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((_, index) => index === 0 ? "---" : "--:"), ...rows]
    .map((row) => `| ${row.join(" | ")} |`).join("\n");

const packageRows = measurePackage();
const rows = await measureExecutables();
const machine = `${cpus()[0]!.model}, ${cpus().length} cores, Linux ${release()}`;
const note = process.argv[2] ?? "";
writeFileSync(
  join(root, "docs/sizes.md"),
  `# Sizes

Measured by \`npm run sizes\` on ${new Date().toISOString().slice(0, 10)}: ${machine}.${
    note && ` ${note}`
  }

## The package

${table(["what", "size"], packageRows)}

Without \`koffi\` Node 26 lacks nothing, as it has an FFI of its own; Node 24 then serves TCP, UDP and
HTTP on its event loop alone.

## An echo server as one executable

Made by \`portico compile\`, beside an executable of the same runtime that prints a line. A start is
the median of ${STARTS}: of the bare one to its line, of the server to its \`ready\`. Memory is what is
resident (RSS) after ${IDLE / 1000} s without work.

${table(["runtime", "bare", "echo", "bare starts", "echo ready", "bare RSS", "echo RSS"], rows)}

Deno compiles with a program, \`denort\`, that it downloads once: where that cannot be had, its row
says so.
`,
);
run(root, bin("deno"), "fmt", "--quiet", "docs/sizes.md");
