/** The tables that `npm run sizes` writes are there; what they say is of the day that they name. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { RUNTIMES } from "./support/command.ts";

test("docs/sizes.md has a row for the package, its install and each runtime, with date and machine", () => {
  const text = readFileSync(
    fileURLToPath(new URL("../docs/sizes.md", import.meta.url).href),
    "utf8",
  );
  assert.match(text, /on \d{4}-\d\d-\d\d:\s.+\scores,\sLinux\s/);
  for (const what of ["the package", "unpacked", "installed, with `koffi`", "installed, without"]) {
    assert.match(text, RegExp(`^\\| ${what} +\\| +\\d`, "m"), what);
  }
  for (const runtime of RUNTIMES) {
    assert.match(text, RegExp(`^\\| ${runtime}\\b[^|]*\\|(?:[^|]+\\|){6}$`, "m"), runtime);
  }
});
