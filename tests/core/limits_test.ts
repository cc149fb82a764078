import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { overflowOf } from "../../runtime/core/admission/overflow.ts";
import { startInMemory } from "../support/in-memory.ts";
import { turns, until } from "../support/until.ts";

const echo = {
  data: (session: { write(bytes: Uint8Array): boolean }, chunk: Uint8Array) =>
    void session.write(chunk),
};

describe("limits", () => {
  test("sessions refuses who is too many, by name, and takes the next when one has left", async (t) => {
    const server = await startInMemory(t, echo, { limits: { sessions: 2 } });
    const peers = [server.connect(), server.connect()];
    const third = server.connect();
    const refuse = await server.record("refuse");
    assert.equal(refuse.limit, "sessions");
    assert.ok(third.over && !third.wasReset);
    peers[0]!.end();
    await server.record("close");
    const fourth = server.connect();
    fourth.write("x");
    await until("the echo", () => fourth.text() === "x");
    assert.equal(server.running.status()[0]!.refused, 1);
  });

  test("perSource refuses by address, and counts who has left no more", async (t) => {
    const server = await startInMemory(t, echo, { limits: { perSource: 1 } });
    const first = server.connect("192.0.2.1");
    server.connect("192.0.2.2");
    server.connect("192.0.2.1");
    const refuse = await server.record("refuse");
    assert.equal(refuse.limit, "perSource");
    assert.equal(refuse.remote, "tcp://192.0.2.1:1234");
    first.end();
    await server.record("close");
    server.connect("192.0.2.1");
    await server.record("open", 3);
    assert.equal(server.all("refuse").length, 1);
  });

  test("rate refuses at once, even where there is room to wait", async (t) => {
    const overflow = { ...overflowOf("wait"), rate: "refuse" } as const;
    const limits = { rate: { count: 2, per: 3_600_000 }, overflow };
    const server = await startInMemory(t, echo, { limits });
    for (let i = 0; i < 3; i++) server.connect();
    assert.equal((await server.record("refuse")).limit, "rate");
    assert.equal(server.all("open").length, 2);
  });

  test("overflow hold keeps who is too many, unread, until there is room, in order", async (t) => {
    const server = await startInMemory(t, echo, {
      limits: { sessions: 1, overflow: overflowOf("wait") },
    });
    const first = server.connect();
    const waiting = ["one", "two"].map((text) => {
      const peer = server.connect();
      peer.write(text);
      return peer;
    });
    await turns();
    assert.deepEqual(waiting.map((peer) => peer.text()), ["", ""]);
    first.end();
    await until("the first of them", () => waiting[0]!.text() === "one");
    assert.equal(waiting[1]!.text(), "");
    waiting[0]!.end();
    await until("the second", () => waiting[1]!.text() === "two");
    assert.equal(server.all("refuse").length, 0);
  });

  test("overflow hold lets others pass who have room of their own", async (t) => {
    const server = await startInMemory(t, echo, {
      limits: { perSource: 1, overflow: overflowOf("wait") },
    });
    const first = server.connect("192.0.2.1");
    const held = server.connect("192.0.2.1");
    held.write("held");
    const other = server.connect("192.0.2.2");
    other.write("other");
    await until("the other", () => other.text() === "other");
    assert.equal(held.text(), "");
    first.end();
    await until("the held one", () => held.text() === "held");
  });

  test("overflow hold has its deadline", async (t) => {
    const limits = { sessions: 1, overflow: overflowOf("wait"), hold: 20 } as const;
    const server = await startInMemory(t, echo, { limits });
    server.connect();
    const held = server.connect();
    assert.equal((await server.record("refuse")).limit, "hold");
    assert.ok(held.over && !held.wasReset);
  });

  test("datagrams are counted while they are served; one refusal a second is a warning, which counts the others", async (t) => {
    let open: () => void = () => {};
    const server = await startInMemory(t, {
      data: () => new Promise<void>((resolve) => open = resolve),
    }, { limits: { sessions: 1 } });
    server.send("one");
    for (const text of ["two", "three", "four"]) server.send(text);
    await server.record("refuse", 3);
    const refused = server.all("refuse");
    assert.deepEqual(refused.map(({ limit }) => limit), ["sessions", "sessions", "sessions"]);
    assert.deepEqual(refused.map(({ level }) => level), ["warn", "debug", "debug"]);
    await new Promise((resolve) => setTimeout(resolve, 1001));
    server.send("five");
    const next = await server.record("refuse", 4);
    assert.deepEqual([next.level, next["suppressed"]], ["warn", 2]);
    open();
    await server.record("close");
    server.send("three");
    await server.record("open", 2);
    open();
  });

  test("access refuses by the rule's name, before verify, and before any count", async (t) => {
    let asked = 0;
    const server = await startInMemory(t, {
      ...echo,
      verify() {
        asked++;
        return true;
      },
    }, { access: { allow: ["192.0.2.0/24"], deny: ["192.0.2.66"] }, limits: { sessions: 1 } });
    server.connect("192.0.2.66");
    server.connect("198.51.100.1");
    const good = server.connect("192.0.2.1");
    good.write("x");
    await until("the echo", () => good.text() === "x");
    assert.deepEqual(server.all("refuse").map(({ rule }) => rule), [
      "deny 192.0.2.66",
      "not in allow",
    ]);
    assert.equal(asked, 1);
  });
});
