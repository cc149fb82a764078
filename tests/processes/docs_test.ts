/**
 * Every block of code in README.md and docs/: programs are type-checked, commands run, with what they
 * print where the page shows it. CONTRIBUTING.md says how a block says what it is.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { socketOptionsPage } from "../../docs/generate/socket-options.ts";
import { lackingFeature } from "../support/adapter.ts";
import type { Block } from "../support/documents/blocks.ts";
import {
  commandsOf,
  lackingForPage,
  Page,
  patternOf,
  textOf,
  writeFiles,
} from "../support/documents/page.ts";
import { pages } from "../support/documents/pages.ts";
import { runToEnd } from "../support/command.ts";
import { lackingPrograms } from "../support/packages.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url).href);

/** Inside of the repository, so that `portico` and the packages resolve as they do for its own files. */
mkdirSync(`${ROOT}docs/.blocks`, { recursive: true });
const home = mkdtempSync(`${ROOT}docs/.blocks/`);
after(() => rmSync(home, { recursive: true }));

/** A folder of each page for its programs' types, and one for its commands. */
const folderOf = (name: string, what: "types" | "run"): string => {
  const folder = join(home, what, name.replace(/\.md$/, "").replaceAll("/", "-"));
  mkdirSync(folder, { recursive: true });
  return folder;
};
const isProgram = ({ language, marks }: Block): boolean =>
  (language === "ts" || (language === "js" && !("file" in marks))) && !("not checked" in marks);

/** Pages have nothing to do with each other. */
const options = { concurrency: 4 };

describe("blocks of code", options, () => {
  test("programs have the types that they should", async () => {
    const prelude = new Map<string, number>();
    for (const { name, blocks } of pages()) {
      const folder = folderOf(name, "types");
      writeFiles(folder, blocks);
      const named = new Set<string>();
      for (const block of blocks.filter(isProgram)) {
        const { line, language, marks: { file: own, hidden } } = block;
        // A page may change a file: all that it has been are checked.
        const first = own !== undefined && !named.has(own);
        const file = join(folder, first ? own : `line-${line}.${language}`);
        if (first) named.add(own);
        else writeFileSync(file, textOf(block));
        // Where the code stands in its page.
        const before = hidden === undefined ? 0 : hidden.split("\n").length;
        prelude.set(file.slice(home.length + 1), line - before);
      }
    }
    writeFileSync(
      join(home, "tsconfig.json"),
      JSON.stringify({
        extends: "../../../tsconfig.json",
        compilerOptions: {
          allowJs: true,
          moduleDetection: "force",
          noUnusedLocals: false,
          noUnusedParameters: false,
        },
        include: [...prelude.keys()],
      }),
    );
    const tsc = join(ROOT, "node_modules/.bin/tsc");
    const { code, out, err } = await runToEnd([tsc, ["-p", home, "--pretty", "false"]]);
    const told = out.replaceAll(
      /^.*?(types\/[^(\s]+)\((\d+),\d+\)/gm,
      (_, file: string, line: string) =>
        `${file}: line ${Number(line) + (prelude.get(file) ?? 0)} of the page`,
    );
    assert.equal(code, 0, `${told}${err}`);
  });

  for (const { name, blocks } of pages()) {
    const shells = blocks.filter(({ language }) => language === "sh");
    if (shells.length > 0) {
      test(`the commands of ${name} are shell's`, async () => {
        for (const { line, code } of shells) {
          const { err } = await runToEnd(["sh", ["-nc", code]]);
          assert.equal(err, "", `line ${line}`);
        }
      });
    }
    const scripts = blocks.filter(({ language, marks }) =>
      language === "python" && !("not checked" in marks)
    );
    if (scripts.length > 0) {
      test(`the Python of ${name} is Python`, { skip: lackingPrograms("python3") }, async () => {
        for (const { line, code, marks } of scripts) {
          const text = `${marks.hidden ?? ""}\n${code}`;
          const check = "import sys; compile(sys.argv[1], 'page', 'exec')";
          const { err } = await runToEnd(["python3", ["-c", check, text]]);
          assert.equal(err, "", `line ${line}`);
        }
      });
    }
    if (commandsOf(blocks).length === 0) continue;
    test(`the commands of ${name} do what it says`, { skip: lackingForPage(blocks) }, async () => {
      const page = new Page(folderOf(name, "run"));
      try {
        for (const block of blocks) await page.step(block);
      } finally {
        await page.close();
      }
    });
  }

  const elsewhere = process.platform !== "linux" && "what the page says is of Linux";
  test("docs/reference/socket-options.md is fresh (npm run docs:generate)", {
    skip: elsewhere || lackingFeature("descriptors"),
  }, () => {
    const page = readFileSync(`${ROOT}docs/reference/socket-options.md`, "utf8");
    assert.equal(page, socketOptionsPage());
  });

  test("what a page shows may leave out what differs from run to run", () => {
    const shown = "ready in … ms\n…\nend";
    assert.match("ready in 12 ms\nend", patternOf(shown));
    assert.match("ready in 12 ms\na\nb\nend\n", patternOf(shown));
    for (
      const other of ["ready in 12 s\nend", "ready in 1 ms\nend\nmore", "ready in 1 ms\nended"]
    ) {
      assert.doesNotMatch(other, patternOf(shown));
    }
  });
});
