/** Every case of the benchmark runs, and nothing is wrong in it; how quick it is nobody asks here. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { CASES } from "../../bench/cases.ts";
import { compiles } from "../../bench/compiler.ts";
import type { Failure, Result } from "../../bench/result.ts";
import { runToEnd } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { MODULES, ROOT } from "../support/package.ts";

/** The one of this run. */
const RUNTIME = "Deno" in globalThis
  ? "deno"
  : "Bun" in globalThis
  ? "bun"
  : process.version.startsWith("v24.")
  ? "node24"
  : "node";

/** The beginnings of the names of cases that are run together. */
const GROUPS = [
  "tcp,unix-,bulk,fair",
  "pull,pipelined,udp,unixgram,all",
  "http",
  "connect,sink",
  // The package is built once for these.
  "memory,rest,start,spawn",
];
/** In milliseconds: on a machine that has much else to do. */
const LIMIT = 150_000;

const isOf = (group: string, name: string): boolean =>
  group.split(",").some((start) => name.startsWith(start));

/** The harness itself runs on Node, whatever it measures. */
function harness(script: string, ...words: readonly string[]) {
  const node = join(MODULES, ".bin/node");
  return runToEnd(["env", ["-C", ROOT, node, script, ...words]], { NO_COLOR: "1" }, LIMIT);
}

const skip = process.platform !== "linux"
  ? "it measures by /proc"
  : compiles()
  ? false
  : "there is no C compiler";

describe("the benchmark", { skip }, () => {
  for (const group of GROUPS) {
    test(`its cases ${group}…`, async (t) => {
      const json = join(folder(t, {}), "report.json");
      const words = ["--runtime", RUNTIME, "--case", group, "--json", json];
      const { code, out, err } = await harness("bench/main.ts", "--smoke", ...words);
      assert.equal(code, 0, err);
      const { rows } = JSON.parse(readFileSync(json, "utf8")) as { rows: (Result | Failure)[] };
      const expected = CASES.filter(({ name, extra, runtimes }) =>
        !extra && runtimes?.includes(RUNTIME) !== false && isOf(group, name)
      );
      assert.deepEqual(rows.map(({ name }) => name), expected.map(({ name }) => name));
      for (const row of rows) {
        assert.ok(!("error" in row), `${row.name}: ${"error" in row ? row.error : ""}`);
        const { base, portico, ratio } = row;
        assert.ok(base.cost >= 0 && portico.cost >= 0 && Number.isFinite(ratio), row.name);
      }
      for (const { title } of expected) assert.ok(out.includes(`| ${title} |`), out);
    });
  }

  test("every case is one of these", () => {
    assert.deepEqual(CASES.filter(({ name }) => !GROUPS.some((group) => isOf(group, name))), []);
  });

  test("a checkout beside itself, with plugins and with apps", async () => {
    const words = ["--smoke", "--against", ROOT, "--runtime", RUNTIME];
    const { code, out, err } = await harness(
      "bench/main.ts",
      ...words,
      "--case",
      "pull-lines,http-64",
    );
    assert.equal(code, 0, err);
    assert.match(out, /this checkout/);
  });

  test("a profile has functions of Portico, a file, and system calls where there is strace", async (t) => {
    const home = folder(t, {});
    const words = ["tcp-64x64", "--runtime", RUNTIME, "--seconds", "0.5", "--out", home];
    const { code, out, err } = await harness("bench/profile.ts", ...words);
    assert.equal(code, 0, err);
    for (const side of ["base", "portico"]) {
      assert.ok(existsSync(join(home, `tcp-64x64-${RUNTIME}-${side}.cpuprofile`)));
    }
    assert.match(out, /\*\*Portico\*\*: [\d.]+ µs of CPU for each message, [1-9]\d* samples/);
    assert.match(out, /\| function, itself \|/);
  });

  test("a call that is wrong says what there is", async () => {
    const { code, err } = await harness("bench/profile.ts", "nothing");
    assert.equal(code, 2);
    assert.match(err, /there are tcp-64x1, /);
  });
});
