import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { basename, dirname, posix } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url).href);

/** Every file of ours, by its path in the repository. */
const files: readonly string[] = globSync(
  ["runtime/**/*.ts", "adapters/**/*.ts", "plugins/**/*.ts", "examples/**/*.ts", "tests/**/*.ts"],
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
  "events",
  "fs",
  "fs/promises",
  "module",
  "os",
  "path",
  "process",
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

/** What adapters may know of the core. */
const KNOWN_TO_ADAPTERS: ReadonlySet<string> = new Set([
  "runtime/core/contract.ts",
  "runtime/core/descriptors.ts",
  "runtime/core/endpoint.ts",
  "runtime/core/errors.ts",
  "runtime/core/exchange.ts",
  "runtime/core/process.ts",
]);

describe("import rules", () => {
  test("the reader of imports finds those of this test", () => {
    const found = importsOf("tests/import_rules_test.ts");
    assert.ok(found.includes("node:assert/strict") && found.includes("node:fs"));
    assert.ok(importsOf("adapters/mod.ts").includes("adapters/node/mod.ts"), "dynamic ones too");
    assert.ok(importsOf("runtime/strategies/lacking.ts").includes("runtime/core/contract.ts"));
  });

  test("core imports nothing but core", () => {
    check(below("runtime/core"), (specifier) => isInside(specifier, "runtime/core"));
  });

  test("runtime imports runtime, its packages and node: modules without sockets", () => {
    const outside = below("runtime").filter((file) => !isInside(file, "runtime/core"));
    check(outside, (specifier, file) =>
      isInside(specifier, "runtime") || isCommon(specifier) ||
      specifier === "valibot" || specifier === "jsonc-parser" ||
      // An optional peer dependency, loaded where a manifest asks for it.
      (specifier === "@logtape/logtape" && file === "runtime/sinks/logtape/open.ts") ||
      (specifier === "prom-client" && isInside(file, "runtime/metrics")) ||
      // The schema for editors is made at development time.
      (specifier === "@valibot/to-json-schema" && basename(file) === "json-schema.ts") ||
      (file === JOINT && specifier === "adapters/mod.ts"));
    assert.ok(importsOf(JOINT).includes("adapters/mod.ts"), "the joint is where it was");
  });

  test("nobody below runtime/cli is imported from outside of it, but by main", () => {
    const others = below("runtime").filter((file) => !isInside(file, "runtime/cli"));
    check(
      others,
      (specifier, file) => !isInside(specifier, "runtime/cli") || file === "runtime/main.ts",
    );
  });

  test("sinks, strategies and manifest do not know the commands' server", () => {
    check(
      below("runtime/sinks", "runtime/strategies", "runtime/manifest"),
      (specifier) => specifier !== "runtime/server.ts",
    );
  });

  test("adapters import adapters, three files of the core, and node: modules", () => {
    check(
      below("adapters"),
      (specifier) =>
        isInside(specifier, "adapters") || KNOWN_TO_ADAPTERS.has(specifier) ||
        specifier === "koffi" || specifier === "@hono/node-server" || specifier === "bun" ||
        specifier === "bun:ffi" ||
        (specifier.startsWith("node:") && (isBuiltin(specifier) || specifier === "node:ffi")),
    );
  });

  test("an adapter imports no other runtime's folder, but what all share and what it falls back on", () => {
    check(
      below("adapters/node", "adapters/deno", "adapters/bun", "adapters/posix"),
      (specifier, file) => {
        const own = file.split("/").slice(0, 2).join("/");
        return !isInside(specifier, "adapters") || isInside(specifier, own) ||
          isInside(specifier, "adapters/posix") ||
          // What all runtimes share lies beside their folders, but for the choice between these.
          (dirname(specifier) === "adapters" && specifier !== "adapters/mod.ts") ||
          (own !== "adapters/posix" && isInside(specifier, "adapters/node"));
      },
    );
  });

  test("the memory adapter imports nothing but itself and the core's three files", () => {
    check(
      below("adapters/memory"),
      (specifier) => isInside(specifier, "adapters/memory") || KNOWN_TO_ADAPTERS.has(specifier),
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

  test("nobody but tests imports tests", () => {
    check(
      below("runtime", "adapters", "plugins", "examples"),
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
    const wrong = below("runtime", "plugins", "examples").filter((file) =>
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

  test("no file of the house has more than 300 lines", () => {
    const long = below(
      "runtime",
      "adapters",
      "plugins",
      "examples",
      "tests/conformance",
      "tests/core",
    )
      .map((file) => [file, read(file).split("\n").length - 1] as const)
      .filter(([, lines]) => lines > 300);
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
        .filter((specifier) => /^(?:runtime|adapters|plugins|examples|tests)\//.test(specifier))
        .filter((specifier) => !/\.(?:ts|json)$/.test(specifier))
        .map((specifier) => `${file} imports ${specifier}`)
    );
    assert.deepEqual(wrong, []);
  });
});
