/** The man page, as mandoc and groff read it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { manPage } from "../packaging/man.ts";
import { CONTEXTS } from "../runtime/terminal/completion/model.ts";
import { runToEnd } from "./support/command.ts";
import { folder } from "./support/folder.ts";
import { lackingPrograms } from "./support/packages.ts";

const PAGE = manPage("1.2.3", new Date("2026-11-28"));

test("the man page has every command, verb and option", () => {
  assert.match(PAGE, /^\.Dd November 28, 2026\n\.Dt PORTICO 1\n/);
  assert.match(PAGE, /version 1\.2\.3\./);
  for (const { name, options } of CONTEXTS) {
    assert.match(PAGE, new RegExp(`^\\.It Cm ${name.split(" ").at(-1)}\\b`, "m"));
    for (const option of options) assert.match(PAGE, new RegExp(`Fl -${option.name}\\b`));
  }
});

test("mandoc finds nothing wrong in the man page, and shows it", {
  skip: lackingPrograms("mandoc"),
}, async (t) => {
  const file = join(folder(t, { "portico.1": PAGE }), "portico.1");
  const lint = await runToEnd(["mandoc", ["-T", "lint", file]]);
  assert.deepEqual(lint, { code: 0, out: "", err: "" });
  const shown = await runToEnd(["mandoc", ["-T", "ascii", file]]);
  const plain = shown.out.replaceAll(new RegExp(".[\\b]", "g"), "");
  assert.match(plain, /portico \[run\] \[PATH\]/);
  assert.match(plain, /--to node \| bun \| deno/);
});

test(
  "groff shows the man page without a warning",
  { skip: lackingPrograms("groff") },
  async (t) => {
    const file = join(folder(t, { "portico.1": PAGE }), "portico.1");
    const { code, err } = await runToEnd(["groff", ["-mdoc", "-Tutf8", "-ww", "-z", file]]);
    assert.deepEqual([code, err], [0, ""]);
  },
);
