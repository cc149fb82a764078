/** What an adapter takes of its runtime beside what that documents: it is there, and without it all goes on. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { loadAdapter } from "../../adapters/mod.ts";
import { command, runToEnd } from "../support/command.ts";

const { name } = await loadAdapter();
const skip = name === "deno" ? false : "only Deno's adapter looks below what is documented";

test("Deno shows how a connection reads and writes", { skip }, async () => {
  const { transferOf } = await import("../../adapters/deno/transfer.ts");
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  using asking = await Deno.connect({ hostname: "127.0.0.1", port });
  using asked = await listener.accept();
  const transfer = transferOf(asked);
  assert.notEqual(transfer, asked, "Deno.Conn is read from: each message costs more");
  assert.equal(await transferOf(asking).write(Uint8Array.of(1, 2, 3)), 3);
  const into = new Uint8Array(8);
  assert.equal(await transfer.read(into), 3);
  assert.deepEqual([...into.subarray(0, 4)], [1, 2, 3, 0]);
  await asking.closeWrite();
  assert.equal(await transfer.read(into), 0);
});

test("where Deno shows nothing of it the streams' cases pass as well", { skip }, async () => {
  const program = fileURLToPath(new URL("./documented.ts", import.meta.url).href);
  const { code, out, err } = await runToEnd(command(program));
  assert.equal(code, 0, err);
  const [count, ...failed] = JSON.parse(out.trim().split("\n").at(-1)!) as [number, ...string[]];
  assert.deepEqual(failed, []);
  assert.ok(count > 50, `${count} cases`);
});
