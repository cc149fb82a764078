import assert from "node:assert/strict";
import { test } from "node:test";
import { everyWay, open } from "portico/testing";
import plugin from "../src/mod.ts";

test("it greets, however the bytes come and under every strategy", async () => {
  await everyWay(plugin, async (peer) => {
    peer.send("world\n");
    await peer.expect("Hello, world!\n");
    peer.send("moon\n");
    await peer.expect("Hello, moon!\n");
  });
});

test("the greeting is an option", async () => {
  await using service = await open(plugin, { options: { greeting: "Good evening" } });
  const peer = service.connect();
  peer.send("Ada\n");
  await peer.expect("Good evening, Ada!\n");
  peer.end();
  assert.equal((await peer.closed).how, "end");
});

test("a greeting that is no text is refused", async () => {
  await assert.rejects(open(plugin, { options: { greeting: 7 } }), /greeting/);
});
