import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { everyWay, open } from "portico/testing";
import * as v from "valibot";
import chargen from "../plugins/chargen.ts";
import daytime from "../plugins/daytime.ts";
import discard from "../plugins/discard.ts";
import echo from "../plugins/echo.ts";
import qotd from "../plugins/qotd.ts";
import time from "../plugins/time.ts";
import { FACTOR } from "../plugins/wire.ts";
import type { Plugin } from "../runtime/core/plugin.ts";

/** The six, as plugins of any options. */
const PLUGINS = Object.entries({ chargen, daytime, discard, echo, qotd, time }) as unknown as [
  string,
  Plugin,
][];

const STREAMS = ["tcp", "unix"] as const;
const DATAGRAMS = ["udp", "unixgram"] as const;

describe("plugins on streams", () => {
  test("echo sends back what it gets, also bytes that are no text: RFC 862", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    await everyWay(echo, [{ send: "hello\r\n", expect: "hello\r\n" }]);
    await everyWay(echo, [{ send: bytes, expect: bytes, end: true, expectEnd: true }], {
      transport: STREAMS,
    });
  });

  test("echo with upper changes letters of ASCII only", async () => {
    const conversation = [{ send: "az{AZ é ß 1\n", expect: "AZ{AZ é ß 1\n" }];
    await everyWay(echo, conversation, { options: { upper: true } });
  });

  test("discard answers nothing, and takes everything: RFC 863", async () => {
    await everyWay(discard, [{ send: "hello" }]);
    await using service = await open(discard);
    const peer = service.connect();
    peer.send("x".repeat(100_000));
    peer.end();
    await peer.expectEnd();
    assert.equal((await peer.closed).record?.["bytesIn"], 100_000);
  });

  test("daytime sends one line with the time in UTC, unasked, then ends: RFC 867", async () => {
    await everyWay(daytime, async (peer) => {
      const [, line] = await peer.expect(/^(\d\d [A-Z]{3} \d{4} \d\d:\d\d:\d\d UTC)\r\n$/);
      assert.ok(Math.abs(Date.parse(line!) - Date.now()) < 5000, line!);
      await peer.expectEnd();
    }, { transport: STREAMS });
  });

  test("time sends 32 bits, seconds since 1900, then ends: RFC 868", async () => {
    await everyWay(time, async (peer) => {
      const bytes = await peer.expect(4);
      const seconds = new DataView(bytes.buffer).getUint32(0);
      assert.ok(Math.abs(seconds - 2_208_988_800 - Date.now() / 1000) < 5);
      await peer.expectEnd();
    }, { transport: STREAMS });
  });

  test("qotd sends a quote of less than 512 characters, then ends: RFC 865", async () => {
    const quotes = ["x".repeat(2000)];
    await everyWay(qotd, [{ expect: "x".repeat(511), expectEnd: true }], {
      options: { quotes },
      transport: STREAMS,
    });
    await everyWay(qotd, [{ expect: /^\S.*\r\n$/, expectEnd: true }], { transport: STREAMS });
  });

  test("chargen sends lines of 72 characters, each a step further: RFC 864", async () => {
    await everyWay(chargen, async (peer) => {
      const lines = new TextDecoder().decode(await peer.expect(200 * 74)).split("\r\n");
      for (const [i, line] of lines.slice(0, -1).entries()) {
        const wanted = Array.from({ length: 72 }, (_, k) => String.fromCharCode(32 + (i + k) % 95));
        assert.equal(line, wanted.join(""));
      }
      peer.reset();
    }, { transport: STREAMS });
  });

  test("chargen waits while its peer does not read", async () => {
    await using service = await open(chargen);
    const peer = service.connect();
    peer.stopReading();
    await service.settle();
    const { backlog } = peer;
    await service.settle();
    assert.equal(peer.backlog, backlog);
    assert.ok(backlog > 0 && backlog < 1024 * 1024, `${backlog} bytes`);
    assert.deepEqual(peer.records.map(({ event }) => event), ["open"]);
  });
});

describe("plugins on datagrams", () => {
  test("each answers one datagram as its RFC says", async () => {
    const settings = { transport: DATAGRAMS };
    const send = "x".repeat(400);
    await everyWay(echo, [{ send, expect: send }], settings);
    await everyWay(discard, [{ send }], settings);
    await everyWay(daytime, [{ send, expect: / UTC\r\n$/ }], settings);
    await everyWay(time, [{ send, expect: 4 }], settings);
    await everyWay(qotd, [{ send, expect: /\r\n$/ }], settings);
    await everyWay(chargen, async (peer) => {
      peer.send(send);
      const characters = new TextDecoder().decode(await peer.expect(512));
      assert.ok(characters.startsWith(` !"#$%&'()*+,-./0123`));
    }, settings);
  });

  for (const [name, plugin] of PLUGINS) {
    test(`${name}: no UDP answer is more than ${FACTOR} times its request on the wire`, async () => {
      await using service = await open(plugin);
      for (const [from, headers] of [["192.0.2.7", 28], ["[2001:db8::7]", 48]] as const) {
        const peer = service.connect({ transport: "udp", from });
        for (let size = 0; size <= 600; size++) {
          peer.send(new Uint8Array(size));
          const { length } = await peer.read() ?? [];
          const allowed = FACTOR * (headers + size);
          assert.ok(headers + length <= allowed, `${size} bytes are answered with ${length}`);
        }
        // Each has one answer at most: of two the second would be left.
        await peer.expectNothing();
      }
      assert.equal(service.status.errors, 0);
    });

    test(`${name}: a sender that would answer the answer gets none`, async () => {
      await using service = await open(plugin);
      const send = "x".repeat(100);
      for (const port of [7, 13, 17, 19, 37]) {
        const peer = service.connect({ transport: "udp", from: `198.51.100.1:${port}` });
        peer.send(send);
        await peer.expectNothing();
        if (name !== "discard") assert.equal((await peer.closed).record?.["rule"], "verify");
      }
      const itself = service.connect({ transport: "udp", from: "127.0.0.1:7007" });
      itself.send(send);
      await itself.expectNothing();
      assert.equal((await itself.closed).record?.["rule"], "loop");
      const other = service.connect({ transport: "udp", from: "198.51.100.1" });
      other.send(send);
      assert.equal(await other.read() === undefined, name === "discard");
    });
  }

  test("chargen and qotd are cut to factor, which may be set, and not over Unix sockets", async () => {
    const quotes = ["q".repeat(600)];
    const request = new Uint8Array(10);
    for (const [plugin, options] of [[chargen, {}], [qotd, { quotes }]] as const) {
      const length = async (options: object, transport: "udp" | "unixgram"): Promise<number> => {
        await using service = await open(plugin as unknown as Plugin, { options, transport });
        const peer = service.connect();
        peer.send(request);
        return (await peer.read())!.length;
      };
      assert.equal(await length(options, "udp"), 2 * 38 - 28);
      assert.equal(await length({ ...options, factor: 5 }, "udp"), 5 * 38 - 28);
      assert.ok(await length(options, "unixgram") > 500);
    }
  });

  test("options that make no sense are refused by the schemas", () => {
    const wrong: readonly (readonly [{ options?: unknown }, object])[] = [
      [echo, { upper: "yes" }],
      [echo, { uper: true }],
      [qotd, { quotes: [] }],
      [qotd, { factor: 0 }],
      [chargen, { factor: "2" }],
    ];
    for (const [{ options }, value] of wrong) {
      assert.equal(v.safeParse(options as v.GenericSchema, value).success, false);
    }
  });
});
