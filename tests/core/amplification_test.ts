/** `limits.amplification`: how much is sent to an address that has not shown that it is there. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { definePlugin } from "portico";
import { open, type Peer } from "portico/testing";
import { SYSTEM_CLOCK } from "../../runtime/core/clock.ts";
import { Confirmed } from "../../runtime/core/datagram/confirmed.ts";
import { Address } from "../../runtime/core/endpoint.ts";

/** `N` is answered with so many bytes, `N N` in so many answers; `confirm N` shows that the peer is there. */
const answering = definePlugin({
  name: "answering",
  transports: ["stream", "datagram"],
  start: () => ({
    data(session, bytes) {
      for (const word of new TextDecoder().decode(bytes).trim().split(" ")) {
        if (word === "confirm") session.confirm();
        else session.write("x".repeat(Number(word)));
      }
    },
  }),
});

async function lengths(peer: Peer, text: string): Promise<number[]> {
  peer.send(text);
  const found: number[] = [];
  for (;;) {
    const bytes = await peer.read();
    if (bytes === undefined) return found;
    found.push(bytes.length);
  }
}

describe("limits.amplification", () => {
  for (const strategy of ["async", "threads", "spawn"] as const) {
    test(`so many times the bytes of a datagram, to the byte, and more when it is there, under ${strategy}`, async () => {
      await using service = await open(answering, { limits: { amplification: 3 }, strategy });
      const peer = service.connect({ transport: "udp", from: "192.0.2.1:5" });
      // As text each is 2, 2 and 5 bytes.
      assert.deepEqual(await lengths(peer, "6 "), [6]);
      assert.deepEqual(await lengths(peer, "7 "), []);
      assert.deepEqual(await lengths(peer, "5 9 8"), [5, 9]);
      assert.deepEqual(service.status.tally.refused, { amplification: 2 });
      assert.deepEqual(await lengths(peer, "confirm 500"), [500]);
      assert.deepEqual(await lengths(peer, "1000"), [1000]);
      // Another port is somebody else, who may lie.
      const other = service.connect({ transport: "udp", from: "192.0.2.1:6" });
      assert.deepEqual(await lengths(other, "1000"), []);
      assert.equal(service.status.refused, 3);
      const records = service.records.filter(({ limit }) => limit === "amplification");
      assert.deepEqual(records.map(({ event, remote }) => [event, remote]), [
        ["refuse", "udp://192.0.2.1:5"],
        ["refuse", "udp://192.0.2.1:5"],
        ["refuse", "udp://192.0.2.1:6"],
      ]);
    });

    test(`who is there is forgotten after 10 minutes of silence, under ${strategy}`, async () => {
      await using service = await open(answering, { limits: { amplification: 1.5 }, strategy });
      const peer = service.connect({ transport: "udp" });
      assert.deepEqual(await lengths(peer, "confirm 100"), [100]);
      for (let i = 0; i < 4; i++) {
        await service.clock.advance("4m");
        assert.deepEqual(await lengths(peer, "100"), [100]);
      }
      await service.clock.advance("11m");
      assert.deepEqual(await lengths(peer, "100"), []);
      assert.deepEqual(await lengths(peer, "6   "), [6]);
    });

    test(`limits.bytes of what goes, under ${strategy}`, async () => {
      await using service = await open(answering, { limits: { bytes: { out: 10 } }, strategy });
      const peer = service.connect({ transport: "udp" });
      assert.deepEqual(await lengths(peer, "6 6 4 1"), [6, 4]);
      assert.deepEqual(service.status.tally.refused, { bytes: 1 });
    });
  }

  test("send is as if it had been lost on the way, and a stream has no such limit", async () => {
    const answers: string[] = [];
    const plugin = definePlugin({
      name: "sending",
      transports: ["stream", "datagram"],
      start: () => ({
        async data(session) {
          answers.push(session.kind);
          if (session.kind === "stream") session.confirm();
          await session.send("x".repeat(100)).then(
            () => answers.push("sent"),
            ({ code }) => answers.push(code),
          );
        },
      }),
    });
    await using service = await open(plugin, { limits: { amplification: 3 } });
    const stream = service.connect({ transport: "tcp" });
    stream.send("x");
    await stream.expect(100);
    const peer = service.connect({ transport: "udp" });
    peer.send("x");
    await peer.expectNothing();
    assert.deepEqual(answers, ["stream", "sent", "datagram", "sent"]);
  });

  test("those that are there are remembered in bounded memory, the latest for certain", () => {
    let now = 0;
    const confirmed = new Confirmed({ ...SYSTEM_CLOCK, now: () => now });
    const address = (at: number): Address =>
      new Address("udp", `10.${at >> 16}.${at >> 8 & 255}.${at & 255}`, 7, "");
    for (let at = 0; at < 100_000; at++) confirmed.add(address(at));
    for (let at = 100_000 - 4096; at < 100_000; at++) assert.ok(confirmed.has(address(at)));
    let known = 0;
    for (let at = 0; at < 80_000; at++) if (confirmed.has(address(at))) known++;
    assert.equal(known, 0);
    now = 601_000;
    assert.ok(!confirmed.has(address(99_999)));
    confirmed.add(address(1));
    assert.ok(confirmed.has(address(1)) && !confirmed.has(address(99_999)));
  });
});
