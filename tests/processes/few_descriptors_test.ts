/** What wants a descriptor when there is none is tried again, and keeps none of those that it had. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isShortage } from "../../adapters/errno.ts";
import { lackingFeature } from "../support/adapter.ts";
import { command, runToEnd } from "../support/command.ts";

/** What a program of `tests/support` prints that may have 96 descriptors. */
async function limited(name: string): Promise<string> {
  const path = fileURLToPath(new URL(`../support/${name}.ts`, import.meta.url).href);
  const [program, words] = command(path);
  const { out, err, code } = await runToEnd([
    "sh",
    ["-c", 'ulimit -n 96; exec "$@"', "sh", program, ...words],
  ]);
  assert.equal(code, 0, err);
  return out;
}

test(
  "libc is opened when the shortage is over",
  { skip: lackingFeature("descriptors") },
  async () => {
    const [first, second, last] = JSON.parse(await limited("libc-later")) as string[];
    assert.match(first!, /^libc cannot be opened: .*(?:EMFILE|Too many open files)/);
    assert.equal(second, first);
    assert.equal(last, "opened");
  },
);

test("who gives way to others keeps no descriptor of the last ones", async () => {
  assert.equal(await limited("way-given"), "2\n");
});

test("what is a shortage is known by the words of every runtime", () => {
  const shortages = [
    Object.assign(new Error("too many open files, open 'x.ts'"), { code: "EMFILE" }),
    new Error('EMFILE reading "/srv/ffi-bun.ts"'),
    new Error("Too many open files (os error 24)"),
    new Error("libc.so.6: cannot open shared object file: Too many open files"),
    new Error("libc.so.6: failed to map segment: Cannot allocate memory"),
  ];
  for (const error of shortages) assert.equal(isShortage(error), true, String(error));
  const others = [
    new Error("libc.so.6: cannot open shared object file: No such file or directory"),
    new Error("Permission denied (os error 13)"),
    undefined,
  ];
  for (const error of others) assert.equal(isShortage(error), false, String(error));
});
