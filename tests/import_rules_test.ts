import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { basename, dirname, posix } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url).href);

/** Every file of ours, by its path in the repository. */
const files: readonly string[] = globSync(
  ["runtime", "adapters", "testing", "plugins", "examples", "templates", "tests"].map((name) =>
    `${name}/**/*.ts`
  ),
  { cwd: root },
).map((file) => file.replaceAll("\\", "/")).sort();

const read = (file: string): string => readFileSync(`${root}${file}`, "utf8");

/** The files below a folder. A rule that checks nothing is no rule. */
function below(...folders: readonly string[]): readonly string[] {
  const found = files.filter((file) => folders.some((folder) => file.startsWith(`${folder}/`)));
  assert.ok(found.length > 0, `there is no file below ${folders.join(", ")}`);
  return found;
}

/** What a file imports: a path in the repository for its own files, else as it is written. */
function importsOf(file: string): readonly string[] {
  const source = read(file);
  const found = [
    ...source.matchAll(/^(?:import|export)\s[^;]*?\bfrom\s+"([^"]+)"/gm),
    ...source.matchAll(/^import\s+"([^"]+)"/gm),
    ...source.matchAll(/\bimport\("([^"]+)"\)/g),
    ...source.matchAll(/\bgetBuiltinModule\("([^"]+)"\)/g),
  ].map(([, specifier]) => specifier!);
  return found.map((specifier) =>
    specifier.startsWith(".") ? posix.join(dirname(file), specifier) : specifier
  );
}

/** Asserts that each import of each file passes; names all that do not. */
function check(
  checked: readonly string[],
  allowed: (specifier: string, file: string) => boolean,
): void {
  let count = 0;
  const wrong: string[] = [];
  for (const file of checked) {
    for (const specifier of importsOf(file)) {
      count++;
      if (!allowed(specifier, file)) wrong.push(`${file} imports ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(count > 0, "there is no import to check");
}

/** The node: modules that all three runtimes have, and that need no sockets. */
const COMMON: ReadonlySet<string> = new Set([
  "buffer",
  "child_process",
  "crypto",
  "events",
  "fs",
  "fs/promises",
  "module",
  "os",
  "path",
  "process",
  "readline/promises",
  "timers",
  "timers/promises",
  "tty",
  "stream/promises",
  "url",
  "util",
  "v8",
  "worker_threads",
  "zlib",
].map((name) => `node:${name}`));

const isCommon = (specifier: string): boolean => COMMON.has(specifier);
const isInside = (specifier: string, folder: string): boolean => specifier.startsWith(`${folder}/`);

/** The one place where the runtime meets the adapters. */
const JOINT = "runtime/adapter.ts";
/** And where workers do, which need less of them. */
const WORKERS_JOINT = "runtime/worker-adapter.ts";

/**
 * The folders of runtime, and the modules that lie beside them, from the bottom to the top; and what
 * each may import beside itself.
 */
const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  values: ["core"],
  modules: ["core", "values"],
  identity: ["core"],
  manifest: ["core", "values", "modules", "identity"],
  sinks: ["core", "values", "modules"],
  resolver: ["core"],
  scaffold: ["core", "values", "modules"],
  probe: ["core"],
  services: ["core"],
  cgroup: ["core", "services"],
  metrics: ["core", "services"],
  activation: ["core", "services"],
  "adapter.ts": [],
  "worker-adapter.ts": [],
  control: ["core", "values", "services", "adapter.ts"],
  terminal: ["core", "values", "modules", "services", "control"],
  workers: ["core", "modules", "identity", "services", "metrics", "worker-adapter.ts"],
  matching: ["core", "services", "workers"],
  strategies: ["core", "services", "workers", "matching"],
  convert: ["core"],
  compile: ["core", "modules", "manifest", "adapter.ts"],
  daemon: [
    ...[
      "core",
      "values",
      "modules",
      "manifest",
      "sinks",
      "identity",
      "probe",
      "services",
      "cgroup",
      "metrics",
      "activation",
      "resolver",
    ],
    ...["control", "terminal", "workers", "strategies", "adapter.ts"],
  ],
  cli: [
    ...["core", "values", "modules", "manifest", "sinks", "identity", "probe", "scaffold"],
    "resolver",
    ...[
      "services",
      "cgroup",
      "control",
      "terminal",
      "strategies",
      "daemon",
      "convert",
      "compile",
      "adapter.ts",
    ],
  ],
  embed: [
    ...["core", "values", "manifest", "services", "activation", "control", "strategies"],
    ...["daemon", "resolver", "adapter.ts"],
  ],
  "engines.ts": [],
  "main.ts": ["daemon", "cli", "adapter.ts", "engines.ts"],
  "mod.ts": ["core", "manifest", "sinks", "services", "control"],
  "schema.ts": ["manifest", "sinks"],
  "worker.ts": ["workers"],
  "executable.ts": ["modules", "workers", "main.ts", "worker.ts"],
};

/** The folder below runtime that a file is in; of one that is in none its name. */
function folderOf(file: string): string {
  return file.split("/")[1]!;
}

/** The arrows from one folder of runtime to another, `cli → daemon`, each with the imports that make it. */
function runtimeArrows(): ReadonlyMap<string, readonly string[]> {
  const arrows = new Map<string, string[]>();
  for (const file of below("runtime")) {
    for (const specifier of importsOf(file).filter((specifier) => isInside(specifier, "runtime"))) {
      const [from, to] = [folderOf(file), folderOf(specifier)];
      if (from === to) continue;
      const arrow = `${from} → ${to}`;
      arrows.set(arrow, [...(arrows.get(arrow) ?? []), `${file} imports ${specifier}`]);
    }
  }
  return new Map([...arrows].sort(([a], [b]) => a < b ? -1 : 1));
}

/** What adapters may know of the core. */
const KNOWN_TO_ADAPTERS: ReadonlySet<string> = new Set([
  "runtime/core/contract.ts",
  "runtime/core/der.ts",
  "runtime/core/descriptors.ts",
  "runtime/core/endpoint.ts",
  "runtime/core/errors.ts",
  "runtime/core/exchange.ts",
  "runtime/core/ip.ts",
  "runtime/core/process.ts",
  "runtime/core/tls.ts",
]);

/** Folders of adapters that are no runtime's: what any may use. */
const SHARED_BY_ADAPTERS = ["adapters/posix", "adapters/tls", "adapters/http"];

describe("import rules", () => {
  test("the reader of imports finds those of this test", () => {
    const found = importsOf("tests/import_rules_test.ts");
    assert.ok(found.includes("node:assert/strict") && found.includes("node:fs"));
    assert.ok(importsOf("adapters/chosen.ts").includes("adapters/node/mod.ts"), "dynamic ones too");
    assert.ok(importsOf("runtime/strategies/lacking.ts").includes("runtime/core/contract.ts"));
  });

  test("each folder of runtime imports only what its row in the table allows", () => {
    const wrong = [...runtimeArrows()]
      .filter(([arrow]) => {
        const [from, to] = arrow.split(" → ") as [string, string];
        return !FOLDERS[from]?.includes(to);
      })
      .map(([arrow, imports]) => `${arrow}, which is no arrow of FOLDERS: ${imports.join(", ")}`);
    assert.deepEqual(wrong, []);
  });

  test("the table of runtime's folders names each of them, and those below before those above", () => {
    const found = new Set(below("runtime").map(folderOf));
    assert.deepEqual([...found].sort(), Object.keys(FOLDERS).sort());
    // A row that names only rows before it leads into no circle.
    const before = new Set<string>();
    for (const [folder, allowed] of Object.entries(FOLDERS)) {
      assert.deepEqual(allowed.filter((name) => !before.has(name)), [], `arrows of ${folder}`);
      before.add(folder);
    }
  });

  test("every arrow of the table is needed by some import", (t) => {
    const arrows = runtimeArrows();
    const unused = Object.entries(FOLDERS).flatMap(([from, allowed]) =>
      allowed.map((to) => `${from} → ${to}`).filter((arrow) => !arrows.has(arrow))
    );
    assert.deepEqual(unused, []);
    const between = [...arrows.keys()].filter((arrow) => !arrow.includes(".ts"));
    t.diagnostic(`${between.length} arrows between folders of runtime: ${between.join(", ")}`);
  });

  test("admission knows no transport: it imports itself, and what a plan, a rule, an address and a clock are", () => {
    const known = ["clock", "count", "endpoint", "plan", "names/rules"].map((name) =>
      `runtime/core/${name}.ts`
    );
    check(
      below("runtime/core/admission"),
      (specifier) =>
        isInside(specifier, "runtime/core/admission") ||
        isInside(specifier, "runtime/core/access") || known.includes(specifier),
    );
  });

  test("access is pure: it imports itself, and what a plan and an address are", () => {
    const known = ["endpoint", "ip", "plan"].map((name) => `runtime/core/${name}.ts`);
    check(
      below("runtime/core/access"),
      (specifier) => isInside(specifier, "runtime/core/access") || known.includes(specifier),
    );
  });

  test("runtime imports runtime, its packages and node: modules without sockets", () => {
    const outside = below("runtime").filter((file) => !isInside(file, "runtime/core"));
    check(outside, (specifier, file) =>
      isInside(specifier, "runtime") || isCommon(specifier) ||
      specifier === "valibot" || specifier === "jsonc-parser" ||
      (specifier === "validate-npm-package-name" && file === "runtime/scaffold/name.ts") ||
      // An optional peer dependency, loaded where a manifest asks for it.
      (specifier === "@logtape/logtape" && file === "runtime/sinks/logtape/open.ts") ||
      (specifier === "prom-client" && isInside(file, "runtime/metrics")) ||
      // The schema for editors, loaded where it is asked for.
      (specifier === "@valibot/to-json-schema" &&
        /^(?:json|options)-schema\.ts$|^plugin-schemas\.ts$/.test(basename(file))) ||
      (file === JOINT && specifier === "adapters/mod.ts") ||
      (file === WORKERS_JOINT && specifier === "adapters/chosen.ts"));
    assert.ok(importsOf(JOINT).includes("adapters/mod.ts"), "the joint is where it was");
  });

  test("adapters import adapters, nine files of the core, and node: modules", () => {
    check(
      below("adapters"),
      (specifier) =>
        isInside(specifier, "adapters") || KNOWN_TO_ADAPTERS.has(specifier) ||
        specifier === "koffi" || specifier === "@hono/node-server" || specifier === "bun" ||
        specifier === "bun:ffi" || specifier === "bun:jsc" ||
        (specifier.startsWith("node:") && (isBuiltin(specifier) || specifier === "node:ffi")),
    );
  });

  test("an adapter imports no other runtime's folder, but what all share and what it falls back on", () => {
    check(
      below("adapters").filter((file) => file.split("/").length > 2),
      (specifier, file) => {
        const own = file.split("/").slice(0, 2).join("/");
        return !isInside(specifier, "adapters") || isInside(specifier, own) ||
          SHARED_BY_ADAPTERS.some((folder) => isInside(specifier, folder)) ||
          // What all runtimes share lies beside their folders, but for the choice between these.
          (dirname(specifier) === "adapters" && specifier !== "adapters/mod.ts" &&
            specifier !== "adapters/chosen.ts") ||
          (own !== "adapters/posix" && isInside(specifier, "adapters/node"));
      },
    );
  });

  test("the memory adapter imports nothing but itself, TLS and the core's nine files", () => {
    check(
      below("adapters/memory"),
      (specifier) =>
        isInside(specifier, "adapters/memory") || KNOWN_TO_ADAPTERS.has(specifier) ||
        // It is spoken over streams of bytes, wherever they come from.
        isInside(specifier, "adapters/tls") || specifier === "adapters/layer.ts",
    );
  });

  test("portico/testing imports the memory adapter, and of runtime what serves and what reads a manifest", () => {
    const known = ["core", "services", "workers", "strategies", "manifest", "modules", "sinks"];
    check(
      below("testing"),
      (specifier) =>
        isInside(specifier, "testing") || specifier === "adapters/memory/mod.ts" ||
        known.some((name) => isInside(specifier, `runtime/${name}`)) ||
        specifier === "node:assert" || specifier === "node:timers",
    );
  });

  test("plugins import runtime/mod.ts, plugins, valibot and node: modules without sockets", () => {
    check(
      below("plugins"),
      (specifier, file) =>
        specifier === "runtime/mod.ts" || isInside(specifier, "plugins") ||
        specifier === "valibot" || isCommon(specifier) ||
        (isInside(file, "plugins/admin") && /^(?:hono(?:\/|$)|node:crypto$)/.test(specifier)),
    );
  });

  test("examples import portico, valibot, their own folder and node: modules without sockets", () => {
    check(
      below("examples"),
      (specifier, file) =>
        specifier === "portico" || specifier === "valibot" || isCommon(specifier) ||
        isInside(specifier, file.split("/").slice(0, 2).join("/")),
    );
  });

  test("templates import portico, its kit for tests, their libraries, their own folder and node: modules", () => {
    check(
      below("templates"),
      (specifier, file) =>
        ["portico", "portico/testing", "portico/embed", "valibot", "hono"].includes(specifier) ||
        isCommon(specifier) || specifier === "node:test" || specifier === "node:assert/strict" ||
        isInside(specifier, file.split("/").slice(0, 2).join("/")),
    );
  });

  test("nobody but tests imports tests", () => {
    check(
      below("runtime", "adapters", "testing", "plugins", "examples", "templates"),
      (specifier) => !isInside(specifier, "tests") && !isInside(specifier, "bench"),
    );
  });
});

/** The source without comments and the contents of texts, in which anything may be named. */
function codeOf(file: string): string {
  return read(file)
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/(["'`])(?:\\.|(?!\1)[^\\\n])*\1/g, '""')
    .replace(/\/\/.*$/gm, "");
}

describe("house rules", () => {
  test("Deno and Bun are named in code only by adapters", () => {
    const wrong = below("runtime", "testing", "plugins", "examples").filter((file) =>
      /\b(?:Deno|Bun)\s*[.[]/.test(codeOf(file))
    );
    assert.deepEqual(wrong, []);
    assert.ok(below("adapters/bun").some((file) => /\bBun\./.test(codeOf(file))), "they are found");
  });

  test("core names no runtime, no I/O and no clock of Node", () => {
    const wrong = below("runtime/core").filter((file) =>
      /\b(?:process|Buffer|globalThis|require|setImmediate)\b/.test(codeOf(file))
    );
    assert.deepEqual(wrong, []);
  });

  // About 300 is where to look for a second idea; this is where somebody has forgotten to.
  test("no file of the house has more than 320 lines", () => {
    const long = below(
      "runtime",
      "adapters",
      "testing",
      "plugins",
      "examples",
      "tests/conformance",
      "tests/core",
    )
      .map((file) => [file, read(file).split("\n").length - 1] as const)
      .filter(([, lines]) => lines > 320);
    assert.deepEqual(long, []);
  });

  test("most files of the house have less than 150 lines", () => {
    const lengths = below("runtime", "adapters", "plugins", "examples")
      .map((file) => read(file).split("\n").length).sort((a, b) => a - b);
    assert.ok(lengths[Math.floor(lengths.length / 2)]! < 150);
  });

  test("no file is named utils, helpers or misc", () => {
    const vague = files.filter((file) => /^(?:utils?|helpers?|misc|common)\./.test(basename(file)));
    assert.deepEqual(vague, []);
    assert.ok(files.length > 50);
  });

  test("nothing is left to do in the source", () => {
    const words = new RegExp(`\\b(?:${["TO" + "DO", "FIX" + "ME", "X" + "XX"].join("|")})\\b`);
    assert.deepEqual(files.filter((file) => words.test(read(file))), []);
  });

  test("imports of types say so, and files are imported with their extension", () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((specifier) =>
          /^(?:runtime|adapters|testing|plugins|examples|templates|tests)\//.test(specifier)
        )
        .filter((specifier) => !/\.(?:ts|json)$/.test(specifier))
        .map((specifier) => `${file} imports ${specifier}`)
    );
    assert.deepEqual(wrong, []);
  });
});
