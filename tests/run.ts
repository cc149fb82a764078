/**
 * Runs the suite under each runtime, in parts, several side by side, and adds up: the last line is
 * `N passed, N failed, N skipped` over all of them. Before it stands which tests have failed, and why: for whoever
 * sees the end alone.
 *
 *     node tests/run.ts [--quick] [--jobs N] [--within MINUTES] [--script NAME]... [--runtime node|node24|bun|deno]... [FILE...]
 *
 * `--quick` answers in about a minute: it leaves out the files that start servers as processes of their
 * own and the parity table, and runs on Node alone, unless runtimes are named. `--script` runs a script
 * of package.json beside the tests, and counts it as one. `--within` is for a machine that may be slow: what
 * has not been started after so many minutes is named, and its files count as skipped.
 */
import { spawn } from "node:child_process";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, stripVTControlCharacters } from "node:util";
import {
  bounded,
  bunFailures,
  denoFailures,
  type Failure,
  type FailureReader,
  tapFailures,
} from "./support/failures.ts";

const root = fileURLToPath(new URL("..", import.meta.url).href);
const modules = `${root}node_modules/`;

/** A runner that takes longer, in ms, or prints more, in characters, is stopped: something hangs. */
const LIMIT = 1_800_000;
const OUTPUT_MAX = 64 * 1024 * 1024;
/**
 * Files that a runner is given at once, about. What is left at the end keeps one core busy, and the other idle; and what
 * has been started in time goes on until it is over.
 */
const PART = 8;
/** Of so many tests that have failed the errors are told at the end. */
const TOLD = 10;

interface Runner {
  readonly command: string;
  readonly args: readonly string[];
  /** The words that make it run so many files at once, where it can. */
  readonly parallel?: (files: number) => readonly string[];
  /** The words that make it run all files of a part in one process, where it starts one for each. */
  readonly shared?: readonly string[];
  /** Finds the counts in what it printed, and in the code that it ended with. */
  readonly count: (output: string, code: number | null) => Counts;
  /** Finds the tests that have failed. */
  readonly failures: FailureReader;
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const numberAfter = (pattern: RegExp) => (output: string): number =>
  Number(output.match(pattern)?.[1] ?? 0);

/** `node --test` ends with lines `# pass 8`. */
function countNode(output: string): Counts {
  const of = (word: string): number => numberAfter(new RegExp(`^# ${word} (\\d+)`, "m"))(output);
  return { passed: of("pass"), failed: of("fail") + of("cancelled"), skipped: of("skipped") };
}

/** `bun test` ends with lines ` 8 pass`. */
function countBun(output: string): Counts {
  const of = (word: string): number => numberAfter(new RegExp(`^ *(\\d+) ${word}`, "m"))(output);
  return { passed: of("pass"), failed: of("fail"), skipped: of("skip") };
}

/** `deno test` ends with `ok | 7 passed (5 steps) | 0 failed | 0 ignored (3 steps)`; a step is a test too. */
function countDeno(output: string): Counts {
  const of = (word: string): number => {
    // The last one: tests say how many steps of theirs have failed, too.
    const all = output.matchAll(new RegExp(`(\\d+) ${word}(?: \\((\\d+) steps?\\))?(?= |$)`, "gm"));
    const found = [...all].at(-1);
    return Number(found?.[1] ?? 0) + Number(found?.[2] ?? 0);
  };
  return { passed: of("passed"), failed: of("failed"), skipped: of("ignored") };
}

/** A script of package.json, which is one test. */
const SCRIPT: Runner = {
  command: "npm",
  args: ["run"],
  count: (_, code) => ({ passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 }),
  failures: () => [],
};

const node = (command: string): Runner => ({
  command,
  args: ["--test", "--test-reporter=tap"],
  parallel: (files) => [`--test-concurrency=${files}`],
  shared: ["--test-isolation=none"],
  count: countNode,
  failures: tapFailures,
});

/** In the order in which their parts are started: who takes longest comes first. */
const RUNNERS: Readonly<Record<string, Runner>> = {
  deno: {
    command: `${modules}.bin/deno`,
    args: ["test", "-A", "--no-check", "--unstable-net"],
    count: countDeno,
    failures: denoFailures,
  },
  node: node(`${modules}node/bin/node`),
  bun: {
    command: `${modules}.bin/bun`,
    args: ["test", "--timeout", "120000"],
    count: countBun,
    failures: bunFailures,
  },
  node24: node(`${modules}node24/bin/node`),
};

const testsNamed = (...names: readonly string[]): string[] =>
  names.flatMap((name) => globSync(`tests/${name}_test.ts`, { cwd: root }));

/** Each of these takes so long that it is a part by itself. */
const CONFORMANCE = testsNamed("conformance/conformance");
const PARITY = testsNamed("parity/*");
/** It is `async` with one session at a time, in code that knows no runtime: one of them goes through it. */
const SERIAL = testsNamed("parity/serial");

/** What starts every runtime by itself, or is about no runtime, and so is run by one of them. */
const ONCE = testsNamed(
  "processes/{bench,compile,dashboard,dashboard_hard,deploy,docs,failures,package,permissions,site,story}",
  "{docs,import_rules,man,packages,schema_options,size,sizes,start}",
);

/**
 * Rules, words and tables: with no socket, process or thread of a runtime under them, only the engine can make a
 * difference, so that one of each kind goes through them, V8 in Node and JavaScriptCore in Bun.
 */
const PURE = testsNamed(
  "{admin,followed_request,history,schema}",
  "bans/bans",
  "core/{access,admission,amplification,arguments,bytes,certificate_rules,codec,datagrams,drain,echo,endpoint}",
  "core/{failures,fairness,framing,gathering,handshake,ip_property,limits,log,manifest_types,name_rules,names}",
  "core/{opening_arguments,overflow,pipeline,plain,plugin_types,proxy_header,proxy_oracle,rate,refusal_sums}",
  "core/{session,sources,start_tls,stream,text,thrown,timers,times,turns,writing}",
  "manifest/{access,byte_limits,endpoint_errors,expand,include,lists,match,parts,reading,resources}",
  "manifest/{service_errors,sink_errors,tls,values,variables}",
  "services/{known_headers,match_streams,proxy_streams,rest}",
  "sinks/{fuzz,invisible,policies,queue,syslog}",
  "testing/*",
);

/**
 * What Node 24 runs, unless others are named: what differs from Node 26, FFI by koffi and what Node itself does with
 * sockets, TLS and HTTP, is in these. Through the rest Node 26 goes with the same code.
 */
const ON_NODE_24 = testsNamed(
  "conformance/*",
  "{certificate,exec,followed,https,program,prox,tls,whole}*",
  "processes/{datagrams,http,inetd,tls_files,upgrade}",
  "{sinks,tls}/*",
).filter((file) => !PURE.includes(file));

/** Which files a runtime runs, unless some are named. */
const RUNS: Readonly<Record<string, (file: string) => boolean>> = {
  deno: (file) => ![...ONCE, ...PURE, ...SERIAL].includes(file),
  node: () => true,
  bun: (file) => ![...ONCE, ...SERIAL].includes(file),
  node24: (file) => ON_NODE_24.includes(file),
};

/** What the output of a runner that has failed tells of that; its end, where it names no test. */
function failuresOf(name: string, output: string, { failures }: Runner): Failure[] {
  const lines = stripVTControlCharacters(output).trimEnd().split("\n");
  const found = failures(lines);
  if (found.length === 0) found.push({ name: "its end", lines: bounded(lines, 0) });
  return found.map((failure) => ({ ...failure, name: `${name}: ${failure.name}` }));
}

/** Which tests have failed, and the errors of some, for whoever reads the end alone. */
function tell(failed: readonly Failure[]): void {
  if (failed.length === 0) return;
  console.log("\nFailed:");
  for (const { name } of failed) console.log(`  ${name}`);
  for (const { name, lines } of failed.slice(0, TOLD)) {
    console.log(`\n--- ${name}\n${lines.join("\n")}`);
  }
  if (failed.length > TOLD) console.log(`\n… and ${failed.length - TOLD} more`);
  console.log();
}

/** Prints a runner's output as it comes: all of it when it fails, else what it closes with. */
async function run({ name, runner, files }: Part): Promise<Counts> {
  const { command, args, parallel, shared, count } = runner;
  const started = performance.now();
  // A part that is all there is has the machine for itself.
  const jobs = parts.length > 1 ? 1 : availableParallelism();
  // What some of ONCE prepare before their tests, as a package, would be for all tests of a process.
  const together =
    (jobs > 1 && files.length > 1 || files.some((file) => ONCE.includes(file))
      ? parallel?.(jobs)
      : shared) ?? [];
  const child = spawn(command, [...args, ...together, ...files], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    // A test of this script is no reason for Node's runner to run nothing.
    env: {
      ...process.env,
      NO_COLOR: "1",
      FORCE_COLOR: "0",
      NODE_TEST_CONTEXT: undefined,
      // Node runs each file, and the servers in it, in a process of its own: they compile what they share once.
      NODE_COMPILE_CACHE: cache,
    },
  });
  let output = "";
  const take = (text: string): void => {
    output += text;
    if (output.length > OUTPUT_MAX) child.kill("SIGKILL");
  };
  child.stdout.setEncoding("utf8").on("data", take);
  child.stderr.setEncoding("utf8").on("data", take);
  const late = setTimeout(() => {
    take(`\n${name} has not ended after ${LIMIT / 1000} s: stopped`);
    child.kill("SIGKILL");
  }, LIMIT);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(late);
  const counted = count(output, code);
  const bad = counted.failed > 0 || code !== 0;
  if (bad || verbose) console.log(output);
  // A runner that fails without naming a test is a failure all the same; so is one that ran none.
  const failed = bad || counted.passed === 0 ? Math.max(1, counted.failed) : 0;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const { passed, skipped } = counted;
  if (bad) told.push(...failuresOf(name, output, runner));
  console.log(`${name}: ${passed} passed, ${failed} failed, ${skipped} skipped, ${seconds} s`);
  return { ...counted, failed };
}

/** What a runner, or a script, is given at once. */
interface Part {
  readonly name: string;
  readonly runner: Runner;
  readonly files: readonly string[];
  /**
   * When it is started: what is about all runtimes and the rules of adapters first, then what Node runs, then of each
   * other runtime a part in turn, so that a slow machine comes to something of everything.
   */
  readonly order: number;
}

/**
 * What a runtime runs, in parts that take about as long as each other: neighbours of a folder are alike. What starts
 * every runtime by itself is a part: there are ports of documents in it, which one at a time can have.
 */
function partsOf(name: string): Part[] {
  const own = positionals.length > 0 ? files : files.filter(RUNS[name]!);
  const of = (chosen: readonly string[]): string[] => own.filter((file) => chosen.includes(file));
  const first = [of(ONCE), of(CONFORMANCE)];
  const parity = of(PARITY).map((file) => [file]);
  const rest = own.filter((file) => ![first, parity].flat(2).includes(file));
  const count = Math.ceil(rest.length / PART);
  const then = [
    ...parity,
    ...Array.from({ length: count }, (_, at) => rest.filter((_, n) => n % count === at)),
  ];
  const part = (files: readonly string[], order: number): Part => ({
    name,
    runner: RUNNERS[name]!,
    files,
    order,
  });
  return [
    ...first.map((files) => part(files, 0)),
    ...then.map((files, at) => part(files, name === "node" ? 1 : 2 + at / then.length)),
  ].filter(({ files }) => files.length > 0);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
    /** Parts at once: one more than there are cores, as some of them wait now and then. */
    jobs: { type: "string", default: `${availableParallelism() + 1}` },
    script: { type: "string", multiple: true, default: [] },
    /** Minutes after which no part is started any more. */
    within: { type: "string", default: "Infinity" },
    runtime: { type: "string", multiple: true },
  },
});
const { quick, verbose } = values;
const names = values.runtime ?? (quick ? ["node"] : Object.keys(RUNNERS));
const unknown = names.find((name) => RUNNERS[name] === undefined);
if (unknown !== undefined) {
  console.error(`no runtime ${unknown}: one of ${Object.keys(RUNNERS).join(", ")}`);
  process.exit(2);
}
const minutes = Number(values.within);
if (!(minutes >= 0)) {
  console.error(`--within ${values.within}: a number of minutes, as 34`);
  process.exit(2);
}
const files = positionals.length > 0 ? positionals : globSync("tests/**/*_test.ts", { cwd: root })
  .filter((file) => !quick || !/\/(?:processes|parity|protocols)\//.test(file)).sort();
/** What is told once more at the end: the whole output of a runner is long. */
const told: Failure[] = [];
const sum = { passed: 0, failed: 0, skipped: 0 };
const parts = [
  ...values.script.map((name) => ({ name, runner: SCRIPT, files: [name], order: 0 })),
  ...names.flatMap(partsOf),
];
const waiting = parts.sort((a, b) => a.order - b.order);
const last = performance.now() + minutes * 60_000;
async function job(): Promise<void> {
  while (waiting.length > 0 && performance.now() < last) {
    const counts = await run(waiting.shift()!);
    sum.passed += counts.passed;
    sum.failed += counts.failed;
    sum.skipped += counts.skipped;
  }
}
const cache = mkdtempSync(join(tmpdir(), "portico-compiled-"));
await Promise.all(Array.from({ length: Math.max(1, Number(values.jobs)) }, job));
rmSync(cache, { recursive: true, force: true });
for (const name of [...values.script, ...names]) {
  const left = waiting.filter((part) => part.name === name).flatMap(({ files }) => files);
  if (left.length === 0) continue;
  console.log(`${name}: not run, ${minutes} minutes are over: ${left.join(" ")}`);
  sum.skipped += left.length;
}
tell(told);
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0;
