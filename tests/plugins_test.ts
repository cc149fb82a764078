import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import * as v from "valibot";
import chargen from "../plugins/chargen.ts";
import daytime from "../plugins/daytime.ts";
import discard from "../plugins/discard.ts";
import echo from "../plugins/echo.ts";
import qotd from "../plugins/qotd.ts";
import time from "../plugins/time.ts";
import { FACTOR } from "../plugins/wire.ts";
import { Address } from "../runtime/core/endpoint.ts";
import type { Plugin } from "../runtime/core/plugin.ts";
import { type InMemoryServer, startInMemory } from "./support/in-memory.ts";
import type { Settings } from "./support/in-process.ts";
import { turns, until } from "./support/until.ts";

const PLUGINS = { chargen, daytime, discard, echo, qotd, time } as const;
type Name = keyof typeof PLUGINS;

/** Starts one of the six, with its options completed by its own schema. */
function start(
  t: TestContext,
  name: Name,
  options: object = {},
  more: Settings = {},
): Promise<InMemoryServer> {
  const plugin = PLUGINS[name] as unknown as Plugin<never, never>;
  const { options: schema } = PLUGINS[name] as unknown as { options?: v.GenericSchema };
  const complete = schema === undefined ? options : v.parse(schema, options);
  return startInMemory(t, plugin, {
    listen: ["tcp://127.0.0.1:7", "udp://127.0.0.1:7"],
    ...more,
    options: complete,
  });
}

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const GRAM = new Address("unixgram", "", 0, "/tmp/peer");
const PEER = new Address("udp", "192.0.2.7", 5353, "");

/** What a peer gets that sends `text`, then its end. */
async function converse(server: InMemoryServer, text = ""): Promise<Uint8Array> {
  const peer = server.connect();
  if (text !== "") peer.write(text);
  peer.end();
  await until("the end", () => peer.over);
  assert.equal(peer.wasReset, false);
  return Uint8Array.from(peer.received.flatMap((chunk) => [...chunk]));
}

/** The one answer to a datagram; undefined when there is none. */
async function ask(
  server: InMemoryServer,
  request: Uint8Array,
  from = PEER,
): Promise<Uint8Array | undefined> {
  const { sent } = server.datagrams;
  sent.delete(String(from));
  server.send(request, from);
  await turns();
  const answers = sent.get(String(from)) ?? [];
  assert.ok(answers.length <= 1, "at most one answer");
  return answers[0];
}

describe("plugins on streams", () => {
  test("echo sends back what it gets, also bytes that are no text: RFC 862", async (t) => {
    const server = await start(t, "echo");
    assert.equal(decode(await converse(server, "hello\r\n")), "hello\r\n");
    const peer = server.connect();
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    peer.write(bytes);
    await until("all bytes", () => peer.received.flatMap((chunk) => [...chunk]).length === 256);
    assert.deepEqual(Uint8Array.from(peer.received.flatMap((chunk) => [...chunk])), bytes);
  });

  test("echo with upper changes letters of ASCII only", async (t) => {
    const server = await start(t, "echo", { upper: true });
    assert.equal(decode(await converse(server, "az{AZ é ß 1\n")), "AZ{AZ é ß 1\n");
  });

  test("discard answers nothing, and takes everything: RFC 863", async (t) => {
    const server = await start(t, "discard");
    assert.equal((await converse(server, "x".repeat(100_000))).length, 0);
    assert.equal((await server.record("close")).bytesIn, 100_000);
  });

  test("daytime sends one line with the time in UTC, unasked, then ends: RFC 867", async (t) => {
    const server = await start(t, "daytime");
    const peer = server.connect();
    await until("the line", () => peer.text().endsWith("\r\n"));
    const line = peer.text().slice(0, -2);
    assert.match(line, /^\d\d [A-Z]{3} \d{4} \d\d:\d\d:\d\d UTC$/);
    assert.ok(Math.abs(Date.parse(line) - Date.now()) < 5000, line);
    peer.end();
    await server.record("close");
  });

  test("time sends 32 bits, seconds since 1900, then ends: RFC 868", async (t) => {
    const server = await start(t, "time");
    const bytes = await converse(server);
    assert.equal(bytes.length, 4);
    const seconds = new DataView(bytes.buffer).getUint32(0);
    assert.ok(Math.abs(seconds - 2_208_988_800 - Date.now() / 1000) < 5);
  });

  test("qotd sends a quote of less than 512 characters, then ends: RFC 865", async (t) => {
    const server = await start(t, "qotd", { quotes: ["x".repeat(2000)] });
    assert.equal((await converse(server)).length, 511);
    const other = await start(t, "qotd");
    assert.match(decode(await converse(other)), /^\S.*\r\n$/);
  });

  test("chargen sends lines of 72 characters, each a step further: RFC 864", async (t) => {
    const server = await start(t, "chargen");
    const peer = server.connect();
    await until("many lines", () => peer.received.length > 2);
    peer.reset();
    const lines = peer.text().split("\r\n");
    assert.ok(lines.length > 200);
    for (const [i, line] of lines.slice(0, -1).entries()) {
      const wanted = Array.from({ length: 72 }, (_, k) => String.fromCharCode(32 + (i + k) % 95));
      assert.equal(line, wanted.join(""));
    }
    await server.record("close");
  });

  test("chargen waits while its peer does not read", async (t) => {
    const server = await start(t, "chargen");
    const peer = server.connect();
    peer.read(false);
    await turns();
    const waiting = peer.unread.reduce((sum, { length }) => sum + length, 0);
    await turns();
    assert.equal(peer.unread.reduce((sum, { length }) => sum + length, 0), waiting);
    assert.ok(waiting > 0 && waiting < 1024 * 1024, `${waiting} bytes`);
    assert.equal(server.all("error").length, 0);
  });
});

describe("plugins on datagrams", () => {
  test("each answers one datagram as its RFC says", async (t) => {
    const request = new TextEncoder().encode("x".repeat(400));
    assert.deepEqual(await ask(await start(t, "echo"), request), request);
    assert.equal(await ask(await start(t, "discard"), request), undefined);
    assert.match(decode((await ask(await start(t, "daytime"), request))!), / UTC\r\n$/);
    assert.equal((await ask(await start(t, "time"), request))!.length, 4);
    assert.match(decode((await ask(await start(t, "qotd"), request))!), /\r\n$/);
    const characters = (await ask(await start(t, "chargen"), request))!;
    assert.equal(characters.length, 512);
    assert.ok(decode(characters).startsWith(` !"#$%&'()*+,-./0123`));
  });

  for (const name of Object.keys(PLUGINS) as Name[]) {
    test(`${name}: no UDP answer is more than ${FACTOR} times its request on the wire`, async (t) => {
      const server = await start(t, name, {}, { level: "error" });
      for (const [host, headers] of [["192.0.2.7", 28], ["2001:db8::7", 48]] as const) {
        const from = new Address("udp", host, 5353, "");
        for (let size = 0; size <= 600; size++) {
          const { sent } = server.datagrams;
          sent.delete(String(from));
          server.send(new Uint8Array(size), from);
          if (size % 50 === 0) await turns();
          else await Promise.resolve();
          for (const answer of sent.get(String(from)) ?? []) {
            const allowed = FACTOR * (headers + size);
            assert.ok(
              headers + answer.length <= allowed,
              `${size} bytes are answered with ${answer.length}`,
            );
          }
        }
      }
      assert.deepEqual(server.records, []);
    });

    test(`${name}: a sender that would answer the answer gets none`, async (t) => {
      const server = await start(t, name);
      const request = new TextEncoder().encode("x".repeat(100));
      for (const port of [7, 13, 17, 19, 37]) {
        const from = new Address("udp", "198.51.100.1", port, "");
        assert.equal(await ask(server, request, from), undefined, `port ${port}`);
      }
      const self = new Address("udp", "127.0.0.1", 7, "");
      assert.equal(await ask(server, request, self), undefined, "itself");
      if (name !== "discard") {
        assert.equal(server.all("refuse").length, 6);
        assert.equal(server.all("refuse")[0]!.rule, "verify");
        assert.ok(await ask(server, request), "others do");
      }
    });
  }

  test("chargen and qotd are cut to factor, which may be set, and not over Unix sockets", async (t) => {
    const request = new Uint8Array(10);
    for (const name of ["chargen", "qotd"] as const) {
      const options = name === "qotd" ? { quotes: ["q".repeat(600)] } : {};
      const two = await start(t, name, options);
      assert.equal((await ask(two, request))!.length, 2 * 38 - 28, name);
      const five = await start(t, name, { ...options, factor: 5 });
      assert.equal((await ask(five, request))!.length, 5 * 38 - 28, name);
      const gram = await start(t, name, options, { listen: ["unixgram:/tmp/portico"] });
      assert.ok((await ask(gram, request, GRAM))!.length > 500, name);
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
