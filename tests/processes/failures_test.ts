/** What `tests/run.ts` says at the end of tests that have failed, on every runtime. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { commandOn, RUNTIMES, runToEnd } from "../support/command.ts";
import { folder } from "../support/folder.ts";

const RUN = fileURLToPath(new URL("../run.ts", import.meta.url).href);
const MANY = 14;

const FAILS = `
import assert from "node:assert/strict";
import { describe, test } from "node:test";
describe("a group", () => {
  test("passes", () => {});
  test("differs", () => assert.deepEqual([1, 2], [1, 3], "two lists"));
  test("is late", async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    throw new TypeError("nothing of that kind");
  });
});
test("is long", () => {
  console.log("not ok 1 - noise");
  assert.fail(Array.from({ length: 500 }, (_, n) => "line " + n).join("\\n"));
});
`;

const MORE = `
import assert from "node:assert/strict";
import { test } from "node:test";
for (let n = 0; n < ${MANY}; n++) test("test " + n, () => assert.fail("why " + n));
`;

/** {@link RUN} with these words. */
async function run(...words: readonly string[]): Promise<{ code: number | null; end: string }> {
  const { code, out, err } = await runToEnd(commandOn("node", RUN, ...words));
  assert.equal(err, "");
  return { code, end: out.slice(out.indexOf("\nFailed:")) };
}

for (const runtime of RUNTIMES) {
  test(`on ${runtime} the end says which tests have failed, and why`, async (t) => {
    const home = folder(t, { "fails_test.ts": FAILS, "more_test.ts": MORE });
    const { code, end } = await run("--runtime", runtime, join(home, "fails_test.ts"));
    assert.equal(code, 1);
    const [names, ...told] = end.split("\n--- ");
    for (const name of ["differs", "is late", "is long"]) {
      assert.match(names!, new RegExp(`^  ${runtime}: .*${name}`, "m"));
    }
    assert.equal(told.length, 3, end);
    assert.match(told[0]!, /two lists[^]*[+-] +2[^]*[+-] +3/);
    assert.match(told[1]!, /nothing of that kind[^]*fails_test\.ts:9/);
    assert.match(told[2]!, /line 5\n[^]*… \d+ lines …/);
    assert.ok(told.every((text) => text.split("\n").length < 50), end);
    assert.match(end, /\n\d+ passed, \d+ failed, 0 skipped\n$/);
    const more = await run("--runtime", runtime, join(home, "more_test.ts"));
    assert.equal(more.end.split("\n--- ").length - 1, 10);
    assert.match(more.end, new RegExp(`… and ${MANY - 10} more`));
    assert.match(
      more.end,
      new RegExp(`test ${MANY - 1}\\b[^]*why 9[^]*, ${MANY} failed, 0 skipped\n$`),
    );
  });
}

test("what is not started in time is named and skipped, and nothing at all is no success", async (t) => {
  const file = join(folder(t, { "one_test.ts": MORE }), "one_test.ts");
  const { code, out } = await runToEnd(
    commandOn("node", RUN, "--within", "0", "--runtime", "bun", file),
  );
  assert.equal(code, 1);
  assert.equal(out, `bun: not run, 0 minutes are over: ${file}\n0 passed, 0 failed, 1 skipped\n`);
  const { code: wrong, err } = await runToEnd(commandOn("node", RUN, "--within", "soon"));
  assert.equal(wrong, 2);
  assert.match(err, /^--within soon: a number of minutes/);
});
