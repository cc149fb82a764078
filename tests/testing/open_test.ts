import assert, { AssertionError } from "node:assert/strict";
import { describe, test } from "node:test";
import { definePlugin } from "portico";
import { open } from "portico/testing";
import echo from "../../plugins/echo.ts";

describe("open", () => {
  test("a peer sends, gets, ends, and knows how it ended", async () => {
    await using service = await open(echo, { options: { upper: true } });
    const peer = service.connect({ from: "192.0.2.7" });
    peer.send("hello\n");
    await peer.expect("HELLO\n");
    peer.end();
    const { how, reason, record } = await peer.closed;
    assert.deepEqual([how, reason, record?.["bytesIn"]], ["end", "peer", 6]);
    assert.deepEqual(peer.records.map(({ event }) => event), ["open", "close"]);
    assert.equal(peer.records[0]!["remote"], String(peer.address));
  });

  test("what cannot come any more fails at once, with what came", async () => {
    await using service = await open(echo, { patience: "1h" });
    const peer = service.connect();
    peer.send("help\n");
    await assert.rejects(peer.expect("hello\n"), (error: AssertionError) => {
      assert.ok(error instanceof AssertionError);
      assert.equal(error.actual, "help\n");
      assert.equal(error.expected, "hello\n");
      assert.match(error.message, /expected {2}"hello\\n"\n {2}received {2}"help\\n"/);
      return true;
    });
    peer.end();
    await assert.rejects(peer.expect("help\nmore"), /then the end/);
  });

  test("datagrams", async () => {
    await using service = await open(echo);
    const peer = service.connect({ transport: "udp", from: "192.0.2.9" });
    peer.send("one");
    await peer.expect("one");
    await peer.expectNothing();
    assert.equal((await peer.closed).reason, "done");
  });

  test("what a server would refuse is refused", async () => {
    await assert.rejects(open(echo, { options: { uper: true } }), /uper/);
    await assert.rejects(open(echo, { limits: { idel: "3s" } as never }), /idle/);
    await assert.rejects(open({ name: "x" } as never), /PLUGIN_INVALID|transports/);
  });

  test("a session that does not end is told when the service closes", async () => {
    const stuck = definePlugin({
      name: "stuck",
      transports: ["stream"],
      start: () => ({ handle: () => new Promise<void>(() => {}) }),
    });
    const service = await open(stuck, { patience: 20 });
    service.connect({ from: "192.0.2.7:1234" });
    await assert.rejects(service.close(), /session 1 of tcp:\/\/192\.0\.2\.7:1234/);
  });
});
