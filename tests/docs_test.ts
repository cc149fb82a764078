/**
 * What the documents name is there: files, folders, and scripts of package.json; their manifests are
 * right, and their blocks of code say what they are. `processes/docs_test.ts` runs those.
 */
import assert from "node:assert/strict";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { posix } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { referencePages } from "../docs/generate/mod.ts";
import { blocksOf } from "./support/documents/blocks.ts";
import { checkManifest, wholeManifest } from "./support/documents/manifests.ts";
import { writeFiles } from "./support/documents/page.ts";
import { pages } from "./support/documents/pages.ts";

const root = fileURLToPath(new URL("..", import.meta.url).href);
const read = (file: string): string => readFileSync(`${root}${file}`, "utf8");

const DOCUMENTS = ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"] as const;

/** Files that readers have, or make. */
const THEIRS: ReadonlySet<string> = new Set(["portico.json", "portico.jsonc", "portico.ts"]);

/** Where a path may begin: the texts leave `runtime/` out. */
const ROOTS = ["", "runtime/"] as const;

const FOLDERS: ReadonlySet<string> = new Set(
  ["*/", "runtime/*/", ".ci/"].flatMap((pattern) => globSync(pattern, { cwd: root }))
    .map((folder) => posix.basename(folder.replaceAll("\\", "/"))),
);

const FILE = /\.(?:ts|md|json|js|css|html|py|sh|png)$/;

/** Whether a word is meant as a path of this repository. */
function isPath(word: string): boolean {
  if (!/^(?:\.ci|[\w*-][\w.*-]*)(?:\/[\w.*-]+)*\/?$/.test(word) || THEIRS.has(word)) return false;
  if (FILE.test(word) || word.endsWith("/")) return true;
  // Other extensions are those of sockets and logs, which are made as a server runs.
  return word.includes("/") && FOLDERS.has(word.split("/")[0]!) &&
    !posix.basename(word).includes(".");
}

/** The paths that a text names, in their order: in backticks, links, diagrams and commands. NAME is anyone. */
function pathsIn(text: string): readonly string[] {
  const spans = text.matchAll(/^ *```(?:sh)?\n([^]*?)^ *```$|`([^`]+)`|\]\(([^)]+)\)/gm);
  return [...spans]
    .flatMap(([, block, code, link]) => (block ?? code ?? link)!.split(/[\s,;·─►┴]+/))
    .map((word) => word.replace(/[.:]+$/, "").replace(/NAME|<\w+>/g, "*"))
    .filter(isPath);
}

/** A text by its paragraphs, the items of its lists and its blocks of code. Programs and manifests are none of it. */
function passagesOf(text: string): readonly string[] {
  return text.replace(/^ *```(?!sh\n)\w+\n[^]*?^ *```$/gm, "")
    .replace(/^ *```[^]*?^ *```$/gm, (block) => block.replace(/\n\s*\n/g, "\n"))
    .split(/\n\n|\n(?= *(?:[-|]|\d+\.) )/);
}

function exists(path: string): boolean {
  return globSync(path, { cwd: root }).length > 0;
}

/**
 * The paths that a text names and that lead nowhere. A bare name lies at the root, in `runtime/`, or
 * beside what the same passage has named before it.
 */
function strayPaths(text: string): readonly string[] {
  return passagesOf(text).flatMap((passage) => {
    const beside = new Set<string>(ROOTS);
    return pathsIn(passage).filter((path) => {
      const places = path.replace(/\/$/, "").includes("/") ? ROOTS : [...beside];
      const found = places.filter((place) => exists(`${place}${path}`));
      for (const place of found) {
        const whole = `${place}${path}`;
        beside.add(whole.endsWith("/") ? whole : `${posix.dirname(whole)}/`);
      }
      return found.length === 0;
    });
  });
}

/** The scripts that a text has its reader run, and that are none. */
function strayScripts(text: string): readonly string[] {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  return [...text.matchAll(/\bnpm\s+run\s+([\w:-]+)/g)].map(([, name]) => name!)
    .filter((name) => !Object.hasOwn(scripts, name));
}

describe("documents", () => {
  for (const document of DOCUMENTS) {
    test(`the paths that ${document} names exist`, (t) => {
      const text = read(document);
      assert.deepEqual(strayPaths(text), []);
      const count = passagesOf(text).flatMap(pathsIn).length;
      t.diagnostic?.(`${document} names ${count} paths`);
      assert.ok(count >= 20, `only ${count} paths are found`);
    });
    test(`the scripts that ${document} has one run exist`, () => {
      assert.deepEqual(strayScripts(read(document)), []);
    });
  }

  test("a path that leads nowhere is told, wherever it stands", () => {
    const text = [
      "`adapters/memory`, `core/plan.ts` and `record.ts` beside it; `runtime/nowhere/`, `core/nobody.ts`.",
      "- `record.ts` is beside nothing here, [a link](examples/none/portico.json)",
      "- `node tests/run.ts tests/none_test.ts`; `./mine.ts` and `portico.json` are a reader's",
      "- `adapters/NAME/mod.ts`, `adapters/NAME/none.ts`, `plugins/none`",
      "```\ncore/record.ts ─► core/admission/ ─► core/none/\n```",
      "```ts\nimport me from 'tests/none.ts';\n```",
    ].join("\n");
    assert.deepEqual(strayPaths(text), [
      ...["runtime/nowhere/", "core/nobody.ts", "record.ts", "examples/none/portico.json"],
      ...["tests/none_test.ts", "adapters/*/none.ts", "plugins/none", "core/none/"],
    ]);
    assert.deepEqual(strayScripts("`npm run schema`, `npm run\nnothing`"), ["nothing"]);
  });
});

describe("the reference", () => {
  for (const [name, text] of referencePages()) {
    test(`docs/reference/${name} is fresh (npm run docs:generate)`, () => {
      assert.equal(read(`docs/reference/${name}`), text);
    });
  }
  test("the plugin API says something of what plugins are made of", () => {
    const api = referencePages().get("api.md")!;
    for (const name of ["Session.write", "Hooks.data", "Plugin.transports", "Framer.push"]) {
      assert.match(
        api,
        new RegExp(`^#### ${name}\n\n`.replace(".", "\\.") + "`.+`\n\n\\w", "m"),
        name,
      );
    }
  });
});

describe("blocks of code", () => {
  // Inside of the repository, so that plugins of a page find `portico` and the packages.
  mkdirSync(`${root}docs/.blocks`, { recursive: true });
  const home = mkdtempSync(`${root}docs/.blocks/`);
  after(() => rmSync(home, { recursive: true }));

  for (const { name, blocks, faults } of pages()) {
    test(`${name} says what its blocks are`, () => assert.deepEqual(faults, []));

    const manifests = blocks.filter(({ language, marks }) =>
      /^jsonc?$/.test(language) && !("not checked" in marks)
    );
    if (manifests.length === 0) continue;
    test(`the manifests of ${name} are right`, async () => {
      const folder = mkdtempSync(`${home}/`);
      writeFiles(folder, blocks);
      for (const block of manifests) {
        try {
          await checkManifest(block, folder);
        } catch (error) {
          assert.fail(`line ${block.line}: ${(error as Error).message}`);
        }
      }
    });
  }

  test("a block that is marked wrongly is told, with its line", () => {
    const { blocks, faults } = blocksOf([
      "<!-- run -->",
      "Words.",
      "<!-- any words at all -->",
      "<!-- strat -->",
      "```sh",
      "true",
      "```",
      "- <!-- not run -->",
      "  ```text",
      "  a",
      "  ```",
      "```",
      "```",
      "<!-- run -->",
      "<!-- start -->",
      "",
      "```sh",
      "```",
    ].join("\n"));
    assert.deepEqual(faults.map((fault) => fault.replace(/: one of.*/, "")), [
      "1: <!-- run --> stands before no block",
      "5: <!-- strat -->: did you mean start?",
      "9: <!-- not run --> lacks what follows its colon",
      "9: <!-- not run --> is of a block in sh",
      "12: a block in no language",
      "17: run and start at once",
    ]);
    assert.equal(blocks[1]!.code, "a\n");
  });

  test("parts of a manifest are made whole ones, other JSON is let be", async () => {
    const echo = '{ "plugin": "echo", "listen": "tcp://*:0" }';
    for (
      const part of [
        `{ "services": { "a": ${echo} } }`,
        `"a": ${echo}`,
        '"limits": { "idle": "60s" }, // comment',
        '{ "limits": { "idle": "60s" } }',
        '"sinks": { "a": { "type": "json" } }',
      ]
    ) {
      const whole = wholeManifest(part);
      assert.match(whole ?? "", /"services"/, part);
    }
    for (const other of ['{ "time": 1 }', '{ "time": 1 }\n{ "time": 2 }', "{}"]) {
      assert.equal(wholeManifest(other), undefined, other);
    }
    assert.match(wholeManifest('"log": "a"', '"sinks": { "a": {} }') ?? "", /"sinks"/);
    const folder = mkdtempSync(`${home}/`);
    const block = { line: 1, language: "json", marks: {}, code: '"limits": { "idel": "60s" }' };
    await assert.rejects(checkManifest(block, folder), /idle/);
  });
});
