/** The files that servers are started with: manifests, Portico's entry, bare scripts. */
import { execFileSync } from "node:child_process";
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import process from "node:process";
import type { Portico } from "./case.ts";
import type { Target } from "./load/traffic.ts";
import { folder } from "./processes.ts";
import { ROOT } from "./runtimes.ts";

/** Those that are compared with a package. */
const BARE = ["node", "deno", "bun"].flatMap((name) => [name, `once-${name}`]);

/** Where the package of a checkout is. */
const built = new Map<string, string>();
let stripped: string | undefined;

/** What is run of a checkout: its source, or the package as it is built of a copy, once in each run. */
export function mainOf({ compiled }: Portico, checkout = ROOT): string {
  if (!compiled) return join(checkout, "runtime/main.ts");
  let at = built.get(checkout);
  if (at === undefined) {
    at = join(folder(), `package${built.size}`);
    const left = ["node_modules", ".git", "dist", "docs", "tests"].map((name) =>
      join(checkout, name)
    );
    cpSync(checkout, at, { recursive: true, filter: (path) => !left.includes(path) });
    symlinkSync(join(checkout, "node_modules"), join(at, "node_modules"));
    execFileSync(process.execPath, [join(at, "packaging/build.ts")], { cwd: at });
    built.set(checkout, at);
  }
  const text = readFileSync(join(at, "package.json"), "utf8");
  const { publishConfig } = JSON.parse(text) as { publishConfig: { bin: { portico: string } } };
  return join(at, publishConfig.bin.portico);
}

/** A bare script; without types where it is compared with a package, which has none. */
export function scripts(name: string, compiled = false): string {
  if (!compiled) return join(ROOT, `bench/bare/${name}.ts`);
  if (stripped === undefined) {
    stripped = join(folder(), "compiled");
    const options = "--ignoreConfig --noCheck --module nodenext --target es2024 --types node " +
      "--rewriteRelativeImportExtensions --verbatimModuleSyntax";
    const files = BARE.map((file) => join(ROOT, `bench/bare/${file}.ts`));
    execFileSync(process.execPath, [
      join(ROOT, "node_modules/typescript/bin/tsc"),
      ...options.split(" "),
      "--rootDir",
      join(ROOT, "bench/bare"),
      "--outDir",
      stripped,
      ...files,
    ]);
    writeFileSync(join(stripped, "package.json"), '{ "type": "module" }');
  }
  return join(stripped, `${name}.js`);
}

/** A plugin of ours, which in another checkout gets that one's Portico: both sides have the same handler. */
function pluginOf(plugin: string, checkout: string): string {
  const own = join(ROOT, plugin);
  if (checkout === ROOT || !plugin.startsWith("bench/portico/")) return own;
  const text = readFileSync(own, "utf8").replaceAll(/(from ")(\.{1,2}\/[^"]+)(")/g, (...words) => {
    const file = relative(ROOT, join(own, "..", words[2]));
    return words[1] + join(file.startsWith("runtime/") ? checkout : ROOT, file) + words[3];
  });
  const copy = join(folder(), basename(plugin));
  writeFileSync(copy, text);
  return copy;
}

/** Writes a manifest with one service, and gives its path. */
export function manifest(
  id: number,
  { plugin, host = "127.0.0.1", service, file }: Portico,
  { transport, port, path }: Target,
  { level = "warn", checkout = ROOT }: { level?: "info" | "warn"; checkout?: string | undefined },
): string {
  const at = join(folder(), `${id}.json`);
  const log = file
    ? { type: "file", level: "info", path: join(folder(), `${id}.log`), ...file }
    : { type: "json", level };
  const bench = {
    plugin: plugin.startsWith("bench/") ? pluginOf(plugin, checkout) : plugin,
    listen: path === "" ? `${transport}://${host}:${port}` : `${transport}:${path}`,
    log,
    ...service,
  };
  // It is killed in the end, and would leave the control socket behind.
  writeFileSync(at, JSON.stringify({ control: false, services: { bench } }));
  return at;
}
