/** What tests need of this machine is named in one place, and installed where they run as a whole. */
import assert from "node:assert/strict";
import { chmodSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { folder } from "./support/folder.ts";
import { lackingPrograms, pathOf, type ProgramName, PROGRAMS } from "./support/packages.ts";

/** No Debian is without these: Essential, or Required. */
const ALWAYS = ["bash", "dash", "coreutils", "grep", "util-linux", "mount"];

test("the packages of all programs that tests talk to are those that .ci/run installs", () => {
  const script = readFileSync(fileURLToPath(new URL("../.ci/run", import.meta.url).href), "utf8");
  const installed = /^peers="([^"]*)"$/m.exec(script)![1]!.split(" ");
  const named = new Set(Object.values(PROGRAMS).map((each) => each.package));
  assert.deepEqual(
    [...named].filter((name) => !ALWAYS.includes(name)).sort(),
    installed.sort(),
  );
});

test("a program of the same name that cannot do what tests need is missing, with its package", (t) => {
  const home = folder(t, { nc: "#!/bin/sh\necho 'nc [-lnp] host port'\n" });
  chmodSync(join(home, "nc"), 0o755);
  const before = process.env["PATH"];
  t.after(() => process.env["PATH"] = before);
  process.env["PATH"] = `${home}${delimiter}${before}`;
  const reason = "there is no nc that suits: it is in netcat-openbsd";
  assert.equal(lackingPrograms("sh", "nc"), reason);
  assert.equal(pathOf("nc" satisfies ProgramName), undefined);
  assert.equal(lackingPrograms("sh"), false);
});
