import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import sink from "../src/mod.ts";

/** A folder that is gone when the test is over. */
function folder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "sink-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

test("a record is a line, with its fields", async () => {
  using home = folder();
  const context = { folder: home.path, warn: (message: string) => assert.fail(message) };
  const open = await sink.open({ path: "records.log" }, context);
  assert.ok(typeof open === "object");
  open.write({ time: 0, level: "info", event: "open", service: "echo", session: 1 });
  open.write({ time: 1, level: "warn", event: "log", message: 'a "b"' });
  await open.close?.();
  assert.deepEqual(readFileSync(join(home.path, "records.log"), "utf8").split("\n"), [
    "time=0 level=info event=open service=echo session=1",
    'time=1 level=warn event=log message="a \\"b\\""',
    "",
  ]);
});

test("a file that cannot be had is told, and its records are counted", async () => {
  using home = folder();
  const told = Promise.withResolvers<string>();
  const context = { folder: home.path, warn: told.resolve };
  const open = await sink.open({ path: "no/records.log" }, context);
  assert.ok(typeof open === "object");
  assert.match(await told.promise, /ENOENT|no such file/i);
  open.write({ time: 0, level: "info", event: "open" });
  assert.equal(open.dropped?.(), 1);
});
