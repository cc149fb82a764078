/** The package: built and packed from a copy of this tree, and installed in empty folders, without a network. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { copySources } from "../../packaging/sources.ts";
import { type CommandResult, runToEnd } from "./command.ts";
import { folder } from "./folder.ts";
import type { Scope } from "./scope.ts";

export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url).href);
export const MODULES: string = join(ROOT, "node_modules");

/** What npm tells of a tarball. */
export interface Packed {
  /** Absolute. */
  readonly path: string;
  /** Bytes, packed and unpacked. */
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

/** The runtimes on which an installed package is to run, as one writes them before its bin. */
export const INSTALLED_ON: Readonly<Record<string, readonly [string, ...string[]]>> = {
  node: [join(MODULES, "node/bin/node")],
  node24: [join(MODULES, "node24/bin/node")],
  bun: [join(MODULES, ".bin/bun")],
  deno: [join(MODULES, ".bin/deno"), "run", "-A"],
};

/** A folder with what is needed to build; `npm pack` there changes nothing here. */
export function sourceTree(scope: Scope): string {
  const home = folder(scope, {});
  copySources(home);
  return home;
}

/** Runs npm, with the programs of the development dependencies; it has to succeed. */
export async function npm(cwd: string, ...words: readonly string[]): Promise<string> {
  const result = await inFolder(cwd, ["npm", ...words]);
  if (result.code !== 0) throw new Error(`npm ${words.join(" ")}: ${result.out}${result.err}`);
  return result.out;
}

/** Runs a command in a folder, to its end, without colours. */
export function inFolder(
  cwd: string,
  [program, ...words]: readonly [string, ...string[]],
): Promise<CommandResult> {
  const path = `${join(MODULES, ".bin")}:${process.env["PATH"]}`;
  return runToEnd(["env", ["-C", cwd, program, ...words]], { PATH: path, NO_COLOR: "1" });
}

/** Packs the package in `home`, as its author does. */
export async function pack(home: string): Promise<Packed> {
  const out = await npm(home, "pack", "--json", "--foreground-scripts=false");
  const told: unknown = JSON.parse(out);
  const [first] = Object.values(told as Record<string, Packed & { filename: string }>);
  return { ...first!, path: join(home, first!.filename) };
}

/** Installs tarballs in a folder. What Portico depends on is copied from this tree first. */
export async function install(home: string, ...words: readonly string[]): Promise<void> {
  provide(home, dependenciesOf(ROOT));
  await npm(home, "install", "--offline", "--no-audit", "--no-fund", ...words);
}

/**
 * Copies packages of this tree into a folder's node_modules, with all that they depend on and their
 * commands, without which npm takes them for broken, and fetches them.
 */
export function provide(home: string, names: readonly string[]): void {
  const modules = join(home, "node_modules");
  for (const name of names) {
    const from = join(MODULES, name);
    const to = join(modules, name);
    if (existsSync(to) || !existsSync(from)) continue;
    mkdirSync(dirname(to), { recursive: true });
    cpSync(from, to, { recursive: true });
    const { bin = {} } = packageJson(from);
    const commands = typeof bin === "string" ? { [name.replace(/^.*\//, "")]: bin } : bin;
    for (const [command, path] of Object.entries(commands)) {
      mkdirSync(join(modules, ".bin"), { recursive: true });
      symlinkSync(join("..", name, path), join(modules, ".bin", command));
    }
    provide(home, dependenciesOf(from));
  }
}

function dependenciesOf(folder: string): string[] {
  const json = packageJson(folder);
  return Object.keys({ ...json.dependencies, ...json.optionalDependencies });
}

function packageJson(folder: string): PackageJson {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as PackageJson;
}

interface PackageJson {
  readonly bin?: string | Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** The names below node_modules of a folder, with scopes. */
export function installed(home: string): readonly string[] {
  const names = readdirSync(join(home, "node_modules")).filter((name) => !name.startsWith("."));
  return names.flatMap((name) =>
    name.startsWith("@")
      ? readdirSync(join(home, "node_modules", name)).map((each) => `${name}/${each}`)
      : [name]
  );
}
