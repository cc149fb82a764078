/** `limits.amplification` with real sockets, under every strategy: who has confirmed is known to all workers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startManifest } from "./support/in-process.ts";
import { openUdp } from "./support/peers.ts";
import { lackingStrategy, SAMPLE } from "./support/strategies.ts";
import { until } from "./support/until.ts";

/** Answers a first word with a token of its length, and gives all it has to whoever sends that back. */
const PLUGIN = `
import { definePlugin } from ${JSON.stringify(new URL("../runtime/mod.ts", import.meta.url).href)};
export default definePlugin({
  name: "tokens",
  transports: ["datagram"],
  start: () => ({
    data(session, bytes) {
      const text = new TextDecoder().decode(bytes);
      if (text === "hello") return void session.write("token");
      if (text === "token") session.confirm();
      session.write("x".repeat(1000));
    },
  }),
});
`;

for (const strategy of SAMPLE) {
  test(`a token shows that a peer is there, under ${strategy}`, {
    skip: lackingStrategy(strategy),
  }, async (t) => {
    const server = await startManifest(t, {
      tokens: {
        plugin: "./tokens.ts",
        listen: "udp://127.0.0.1:0",
        concurrency: { strategy },
        limits: { amplification: 3 },
      },
    }, { "tokens.ts": PLUGIN });
    const endpoint = server.endpoint();
    const liar = await openUdp(t);
    liar.send("please", endpoint);
    await until("the refusal", () => server.status().tally.refused["amplification"] === 1);
    const peer = await openUdp(t);
    peer.send("hello", endpoint);
    await peer.when("a token", () => peer.received.length === 1);
    peer.send("token", endpoint);
    await peer.when("all", () => peer.received.length === 2);
    // Whichever worker has these.
    for (let i = 0; i < 8; i++) {
      peer.send("more", endpoint);
      await peer.when("all again", () => peer.received.length === 3 + i);
    }
    assert.deepEqual(peer.received.map(({ length }) => length), [5, ...Array(9).fill(1000)]);
    assert.equal(liar.received.length, 0);
    const { limit, level, remote } = await server.record("refuse");
    assert.deepEqual([limit, level], ["amplification", "warn"]);
    assert.match(String(remote), /^udp:\/\/127\.0\.0\.1:\d+$/);
    assert.equal(server.status().refused, 1);
  });
}
