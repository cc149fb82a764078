/** How each runtime makes one executable of a folder with modules. */
import { copyFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { ENTRY } from "./node/executable.ts";
import { type CommandLine, find, type RuntimeName, UNSTABLE } from "./program.ts";

/** What is put into an executable. */
export interface Source {
  /** Absolute. */
  readonly folder: string;
  /** Relative to it: the module that it begins with, those of threads, and files that modules read. */
  readonly entry: string;
  readonly threads: readonly string[];
  readonly assets: readonly string[];
}

/**
 * The command that makes it, to be run in the folder. What it needs beside is written there.
 *
 * @param file the executable, absolute.
 * @param target another system, in the runtime's own words.
 * @throws PorticoError NOT_SUPPORTED when the runtime is not to be found.
 */
export function compiler(
  runtime: RuntimeName,
  source: Source,
  file: string,
  target: string | undefined,
): CommandLine {
  return COMPILERS[runtime](find(runtime), source, file, target);
}

/** Whether it can make executables for other systems. */
export function compilesForOthers(runtime: RuntimeName): boolean {
  return runtime !== "node";
}

type Compiler = (
  program: string,
  source: Source,
  file: string,
  target: string | undefined,
) => CommandLine;

const COMPILERS: Readonly<Record<RuntimeName, Compiler>> = {
  /**
   * Everything becomes one module at the root of the files inside. So do, by their names, the modules
   * of threads and what modules read beside themselves.
   */
  bun(program, { folder, entry, threads, assets }, file, target) {
    for (const asset of assets) copyFileSync(join(folder, asset), join(folder, basename(asset)));
    return [
      program,
      ...["build", "--compile", "--entry-naming", "[name].[ext]", "--sourcemap", "--outfile", file],
      ...["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"],
      ...(target === undefined ? [] : [`--target=${target}`]),
      ...assets.flatMap((asset) => ["--asset", basename(asset)]),
      ...[entry, ...threads],
    ];
  },
  deno(program, { entry, assets }, file, target) {
    return [
      program,
      ...["compile", "-A", "--no-check", ...UNSTABLE, "--output", file],
      ...(target === undefined ? [] : ["--target", target]),
      ...assets.flatMap((asset) => ["--include", asset]),
      entry,
    ];
  },
  /** The folder as it is, as a file system that is mounted before anything is imported. */
  node(program, { folder, entry }, file) {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((item) => item.isFile())
      .map((item) => join(item.parentPath, item.name).slice(folder.length + 1));
    // The first module is no file there, and a thread begins with one.
    writeFileSync(join(folder, "start.mjs"), `import ${JSON.stringify(`./${ENTRY}`)};\n`);
    const config = {
      main: "start.mjs",
      mainFormat: "module",
      output: file,
      disableExperimentalSEAWarning: true,
      useVfs: true,
      assets: Object.fromEntries([[ENTRY, entry], ...files.map((name) => [name, name])]),
    };
    writeFileSync(join(folder, "sea.json"), JSON.stringify(config));
    return [program, "--build-sea", "sea.json"];
  },
};
