/** The runtimes that are there, and how each is called. */
import { execFileSync } from "node:child_process";
import { delimiter, join } from "node:path";
import process from "node:process";
import type { RuntimeName } from "./case.ts";

export const ROOT = join(import.meta.dirname, "..");

/** A runtime: the program itself, not a launcher, whose process would be measured in its place. */
export interface Runtime {
  readonly name: RuntimeName;
  readonly version: string;
  readonly program: string;
  /** What stands before the script. */
  readonly flags: readonly string[];
  /** Flags that let a script collect garbage. */
  readonly collect: readonly string[];
  readonly bare: "node" | "deno" | "bun";
}

const NODE = { flags: [], collect: ["--expose-gc"], bare: "node" } as const;
const WAYS = {
  node: NODE,
  node24: NODE,
  deno: {
    flags: ["run", "-A", "--unstable-net"],
    collect: ["--v8-flags=--expose-gc"],
    bare: "deno",
  },
  bun: { flags: ["run"], collect: [], bare: "bun" },
} as const;

const QUESTION = {
  node: ["-p", "process.execPath + ' ' + process.version"],
  bun: ["-e", "console.log(process.execPath + ' ' + Bun.version)"],
  deno: ["eval", "console.log(Deno.execPath() + ' ' + Deno.version.deno)"],
} as const;

/** The environment of all that is started: the runtimes of this repository come first. */
export const environment: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: join(ROOT, "node_modules/.bin") + delimiter + (process.env["PATH"] ?? ""),
  NODE_NO_WARNINGS: "1",
  NO_COLOR: "1",
  DENO_NO_UPDATE_CHECK: "1",
};

/** Finds a runtime. @throws when it is not installed. */
export function find(name: RuntimeName): Runtime {
  const way = WAYS[name];
  const launcher = name === "node24" ? join(ROOT, "node_modules/node24/bin/node") : name;
  const answer = execFileSync(launcher, QUESTION[way.bare], {
    env: environment,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  }).trim();
  const blank = answer.lastIndexOf(" ");
  const version = answer.slice(blank + 1).replace(/^v/, "");
  return { name, version, program: answer.slice(0, blank), ...way };
}
