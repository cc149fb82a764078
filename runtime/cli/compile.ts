import { accessSync, constants, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { compilesForOthers, loadAdapter, type RuntimeName } from "../adapter.ts";
import { build } from "../compile/build.ts";
import { type Inside, insideOf } from "../compile/inside.ts";
import { plant } from "../compile/tree.ts";
import { messageOf, PorticoError } from "../core/errors.ts";
import { version } from "../daemon/version.ts";
import { expand } from "../manifest/expand.ts";
import { find, loadAlone } from "../manifest/load.ts";
import { prepare } from "../manifest/prepare.ts";
import { embeddedFile } from "../modules/embedded.ts";
import { sinkCatalog, sinkTypes } from "../sinks/mod.ts";
import type { CallOf } from "../terminal/commands.ts";
import { print, printError, printJson } from "../terminal/output.ts";
import { ManifestError, renderRows, show } from "../values/problem.ts";

/**
 * Makes one executable of a manifest, with its plugins and a runtime inside.
 *
 * @returns 0.
 * @throws PorticoError when the call or the manifest is wrong, or the runtime cannot make it; what
 * was at the executable's path before stays there.
 */
export async function compile(call: CallOf<"compile">): Promise<number> {
  const { json, target } = call;
  if (embeddedFile() !== undefined) {
    throw new PorticoError("NOT_SUPPORTED", "an executable has no sources to make another one of");
  }
  const file = checkFile(call.to);
  const runtime = call.runtime ?? (await loadAdapter()).name as RuntimeName;
  if (target !== undefined && !compilesForOthers(runtime)) {
    throw usage(`--target ${show(target)}`, `no --target: ${runtime} compiles for this machine`);
  }
  const inside = await insideOf(find(resolve(call.path)), sinkTypes, process.env);
  await check(inside.manifest, json);
  const folder = mkdtempSync(join(tmpdir(), "portico-compile-"));
  try {
    const tree = plant(folder, inside, version());
    await build(runtime, tree, file, target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  await tell(file, runtime, inside, json);
  return 0;
}

/** The absolute path of the executable. @throws PorticoError USAGE where none may be put. */
function checkFile(to: string | undefined): string {
  const expected = "--to FILE, the executable to be made";
  if (to === undefined) throw usage("no --to", expected);
  const file = resolve(to);
  const there = statSync(file, { throwIfNoEntry: false });
  if (there?.isDirectory()) throw usage(`--to ${show(to)}, which is a folder`, expected);
  if (there !== undefined && (!there.isFile() || (there.mode & 0o111) === 0)) {
    throw usage(`--to ${show(to)}, which is there and is no executable`, expected);
  }
  try {
    accessSync(dirname(file), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw usage(`--to ${show(to)}: ${messageOf(error)}`, "a folder that this user can write to");
  }
  return file;
}

/** As `portico check` does, where the variables are set that it names: here they need not be. */
async function check(path: string, json: boolean): Promise<void> {
  const unset: string[] = [];
  const noted = new Proxy(process.env, {
    get(variables, name: string) {
      const value = variables[name];
      if (value === undefined) unset.push(name);
      return value;
    },
  });
  try {
    const source = await loadAlone(path, noted);
    // All that it serves may be said by files that are where it runs.
    if (Object(source.value).services === undefined) return;
    await prepare(expand(source, sinkCatalog), source, sinkCatalog);
  } catch (error) {
    if (!(error instanceof ManifestError) || unset.length === 0) throw error;
    const names = [...new Set(unset)].join(", ");
    if (!json) await printError(`not checked, as ${names} is not set here: portico check does\n`);
  }
}

async function tell(
  file: string,
  runtime: RuntimeName,
  { manifest, services, plugins }: Inside,
  json: boolean,
): Promise<void> {
  const { size } = statSync(file);
  if (json) return await printJson({ file, runtime, size, manifest, services, plugins });
  const megabytes = (size / 1e6).toFixed(1);
  const noun = services === 1 ? "service" : "services";
  await print(
    `${file}: ${megabytes} MB, ${services} ${noun} (${plugins.join(", ")}) on ${runtime}\n`,
  );
}

function usage(received: string, expected: string): PorticoError {
  return new PorticoError("USAGE", renderRows({ received, expected }));
}
