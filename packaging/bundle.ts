/**
 * Makes few files of many: a start is mostly the finding, reading and linking of modules. What is
 * imported from outside, and what is started by its place, stays where it is; all else goes into
 * chunks beside the runtime.
 */
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative } from "node:path";
import { type GetModuleInfo, type Plugin, rollup } from "rollup";

/** The modules that stay at their places: exports, threads and processes, and who reads files beside itself. */
const ENTRIES: readonly string[] = [
  "plugins/*.js",
  "plugins/admin/assets.js",
  "runtime/{main,mod,worker,executable}.js",
  "runtime/embed/mod.js",
  "testing/mod.js",
  "adapters/posix/{epoll-bun,ffi-bun}.js",
];

/** Packages of which the most is never used, or which come as many files: what is used goes inside. */
const INSIDE: ReadonlyMap<string, string> = new Map([
  ["valibot", "valibot/dist/index.mjs"],
  ["jsonc-parser", "jsonc-parser/lib/esm/main.js"],
]);

/** What a worker begins with. */
const WORKER: readonly string[] = ["serve", "channel-ends", "cpu-limit"].map((name) =>
  `runtime/workers/${name}.js`
);
/** What a server begins with. */
const SERVER: readonly string[] = [
  ...["cli/mod", "cli/run", "sinks/console", "sinks/standard"].map((name) => `runtime/${name}.js`),
  ...["path", "socket"].map((name) => `runtime/control/${name}.js`),
  ...["mod", "listener", "posix/socket-file"].map((name) => `adapters/${name}.js`),
];

/** Chunks of what is each runtime's own. */
function ofEach(suffix: string, ...files: readonly string[]): readonly Chunk[] {
  return ["node", "bun", "deno"].map((name): Chunk => [
    `${name}${suffix}`,
    files.map((file) => `adapters/${name}/${file}.js`)
      .filter((file) => file !== "adapters/deno/own-module.js"),
  ]);
}

/**
 * What each start of a server takes goes into one chunk, and of that what a worker and a plugin take,
 * too, into another; what a module reaches first of these decides. Chunks of the rest make themselves.
 * A worker, of which `spawn` starts one for each session, reads nothing that only a server needs.
 */
const CHUNKS: readonly Chunk[] = [
  [
    "early",
    ["engines", "adapter", "daemon/start-folder", "workers/variable"].map((name) =>
      `runtime/${name}.js`
    ),
  ],
  [
    "core",
    [
      ...["mod", "worker-adapter"].map((name) => `runtime/${name}.js`),
      ...["session-adapter", "posix/passing", "posix/libc"].map((name) => `adapters/${name}.js`),
      // What the adapters have in common would lie with Node's, which the others would load for it.
      ...["addresses", "datagram", "dropped", "features"].map((name) => `adapters/${name}.js`),
      ...["read-buffer", "runtime-adapter"].map((name) => `adapters/${name}.js`),
      ...["find-descriptor", "socket"].map((name) => `adapters/posix/${name}.js`),
    ],
  ],
  ["core", WORKER, SERVER],
  ["worker", WORKER],
  // The plugins' schemas, and the manifest's.
  ["schemas", ["valibot"]],
  ["chunk", ["adapters/chunk.js"]],
  ...ofEach("-sessions", "runtime", "connect", "own-module"),
  ["server", SERVER],
  ["workers", ["executor", "launch"].map((name) => `runtime/workers/${name}.js`)],
  ...ofEach("", "mod", "stream"),
];

/** With `within`: only what these lead to, as well. */
type Chunk = readonly [name: string, roots: readonly string[], within?: readonly string[]];

/** How the modules begin that stand for those of the runtime. */
const BUILTIN = "\0node:";

const NAMED = /^import (?:(\w+)|\* as (\w+)|\{([^}]*)\}) from "(node:[\w/]+)";$/gm;

/**
 * Rewrites the compiled modules below a folder.
 *
 * @param dist absolute: `.js` files that are modules of ours, and lie as their sources do.
 * @param packages the folder of the packages.
 */
export async function bundle(dist: string, packages: string): Promise<void> {
  const entries = globSync([...ENTRIES], { cwd: dist });
  const modules = globSync("**/*.js", { cwd: dist, exclude: ["templates/**"] })
    .filter((file) => !/^plugins\/admin\/page/.test(file));
  const input = Object.fromEntries(
    entries.map((file) => [file.slice(0, -".js".length), join(dist, file)]),
  );
  const build = await rollup({
    input,
    preserveEntrySignatures: "strict",
    // Modules are known by their paths here.
    preserveSymlinks: true,
    // Nothing of ours does anything when it is imported, but for what is begun with.
    treeshake: { moduleSideEffects: (id) => entries.some((file) => id === join(dist, file)) },
    plugins: [builtins(dist, modules), inside(packages), places(dist)],
    onwarn({ code, message }, warn) {
      if (code !== "CIRCULAR_DEPENDENCY" && code !== "THIS_IS_UNDEFINED") warn(message);
    },
  });
  const names = chunksOf(dist, packages);
  for (const file of modules) rmSync(join(dist, file));
  await build.write({
    dir: dist,
    format: "es",
    importAttributesKey: "with",
    entryFileNames: "[name].js",
    chunkFileNames: "runtime/chunk-[name]-[hash].js",
    hoistTransitiveImports: false,
    manualChunks: (id, { getModuleInfo }) => names(id, getModuleInfo),
  });
  await build.close();
  const licences = [...INSIDE.keys()].map((name) => {
    const [file = ""] = globSync(`${name}/LICEN[SC]E*`, { cwd: packages });
    return `${name}\n\n${readFileSync(join(packages, file), "utf8").trim()}\n`;
  });
  // Theirs go where their code goes.
  writeFileSync(join(dist, "LICENSES.md"), licences.map((text) => `# ${text}`).join("\n"));
}

/** To which chunk a module goes: the first that has a root that leads there, by static imports. */
function chunksOf(
  dist: string,
  packages: string,
): (id: string, info: GetModuleInfo) => string | undefined {
  let names: Map<string, string> | undefined;
  const reached = (roots: readonly string[], info: GetModuleInfo): ReadonlySet<string> => {
    const found = new Set<string>();
    const waiting = roots.map((root) => {
      const inside = INSIDE.get(root);
      return inside === undefined ? join(dist, root) : join(packages, inside);
    });
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      if (found.has(id)) continue;
      found.add(id);
      waiting.push(...info(id)!.importedIds.filter((each) => info(each)?.isExternal === false));
    }
    return found;
  };
  const fill = (info: GetModuleInfo): Map<string, string> => {
    const found = new Map<string, string>();
    for (const [name, roots, within] of CHUNKS) {
      const also = within === undefined ? undefined : reached(within, info);
      for (const id of reached(roots, info)) {
        if (!found.has(id) && also?.has(id) !== false) found.set(id, name);
      }
    }
    return found;
  };
  return (id, info) => id.startsWith(BUILTIN) ? "early" : (names ??= fill(info)).get(id);
}

/**
 * Modules of the runtime are taken when they are used first, and from `process.getBuiltinModule`: an
 * import makes Node read every property of them, which loads what nobody uses (7 ms and 6 MB of an
 * echo server's start).
 */
function builtins(dist: string, modules: readonly string[]): Plugin {
  const names = new Map<string, Set<string>>();
  const whole = new Set<string>();
  for (const file of modules) {
    for (const match of readFileSync(join(dist, file), "utf8").matchAll(NAMED)) {
      const [, one, all, named, builtin] = match;
      const found = names.get(builtin!) ?? new Set();
      names.set(builtin!, found);
      if (one !== undefined || all !== undefined) whole.add(builtin!);
      for (const each of named?.split(",") ?? []) {
        const name = each.trim().split(" as ")[0]!;
        if (name === "default") whole.add(builtin!);
        else if (name !== "") found.add(name);
      }
    }
  }
  return {
    name: "builtins",
    resolveId(source) {
      if (source.startsWith("node:") && names.has(source)) {
        return { id: `\0${source}`, moduleSideEffects: false };
      }
      return isBuiltin(source) || source.startsWith("bun") ? { id: source, external: true } : null;
    },
    load(id) {
      if (!id.startsWith(BUILTIN)) return null;
      const name = id.slice("\0".length);
      const keys = whole.has(name) ? undefined : [...names.get(name)!];
      return { code: builtin(name, keys, dist), syntheticNamedExports: true };
    },
  };
}

/** A module of the runtime: an object whose properties are found at their first use, or as it is. */
function builtin(name: string, keys: readonly string[] | undefined, dist: string): string {
  const from = (file: string): string => JSON.stringify(join(dist, file));
  if (name === "node:process") {
    return `
import { processOf } from ${from("adapters/deno/process.js")};
import { WORKER } from ${from("runtime/workers/variable.js")};
export default processOf(WORKER);
`;
  }
  // All have the same as globals; on Deno and Bun the module costs a start 2 ms.
  if (name === "node:timers") return "export default globalThis;\n";
  // Of a runtime that is too old nothing is taken but its version.
  const whole = `process.getBuiltinModule?.("${name}")`;
  const local = name.slice("node:".length).replaceAll("/", "_");
  const found = keys?.map((key) => `  get ${key}() { return found(this, "${key}"); },\n`).join("");
  return `
import process from "node:process";
const ${local} = ${found === undefined ? whole : `{\n${found}}`};
function found(table, key) {
  const value = ${whole}[key];
  Object.defineProperty(table, key, { value });
  return value;
}
export default ${local};
`;
}

/** What is used of packages, and what is not ours. */
function inside(packages: string): Plugin {
  return {
    name: "packages",
    resolveId(source) {
      const file = INSIDE.get(source);
      if (file !== undefined) return join(packages, file);
      return /^\.{0,2}\//.test(source) ? null : { id: source, external: true };
    },
  };
}

/** `import.meta.url` says where a module would be, whatever it has become a part of. */
function places(dist: string): Plugin {
  return {
    name: "places",
    resolveImportMeta(property, { chunkId, moduleId }) {
      if (property !== "url") return null;
      const from = relative(dist, moduleId);
      if (from === chunkId) return null;
      const path = relative(dirname(chunkId), from);
      return `new URL(${
        JSON.stringify(path.startsWith(".") ? path : `./${path}`)
      }, import.meta.url).href`;
    },
    // Text with a letter above U+00FF takes two bytes for each of its letters.
    renderChunk: (code) =>
      code.replaceAll(
        /[\u0080-\uffff]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
      ),
  };
}
