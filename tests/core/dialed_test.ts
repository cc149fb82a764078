import assert from "node:assert/strict";
import { test } from "node:test";
import { lackingTransport } from "../support/adapter.ts";
import { echoTwice, outgoingOf } from "../support/outgoing.ts";
import { until, within } from "../support/until.ts";

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

test("connect: datagrams, push form", { skip: lackingTransport("udp") }, async (t) => {
  const endpoint = await echoTwice(t);
  const { outgoing: made, connect, records } = outgoingOf(t);
  const heard: string[] = [];
  const done = Promise.withResolvers<void>();
  const session = await connect(endpoint, {
    data: (_, chunk) => void heard.push(decode(chunk)),
    finish: () => done.resolve(),
  });
  assert.equal(session.kind, "datagram");
  assert.equal(String(session.remote), endpoint);
  assert.match(String(session.local), /^udp:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(session.write("one"), true);
  await session.send("two");
  await until("four answers", () => heard.length === 4);
  assert.deepEqual(heard.sort(), ["one", "one", "two", "two"]);
  session.end();
  assert.equal(session.write("three"), false);
  await assert.rejects(session.send("three"), { code: "SESSION_CLOSED" });
  await within("finish", done.promise);
  await until("the end", () => made.live === 0);
  const close = records.find(({ event }) => event === "close")!;
  assert.deepEqual([close["bytesIn"], close["bytesOut"], close["reason"]], [12, 6, "done"]);
});

test(
  "connect: datagrams, pull form: each answer is a chunk",
  { skip: lackingTransport("udp") },
  async (t) => {
    const endpoint = await echoTwice(t);
    const { outgoing: made, connect } = outgoingOf(t);
    const heard: string[] = [];
    await connect(endpoint, {
      async handle(session) {
        session.write("hello");
        for await (const chunk of session) if (heard.push(decode(chunk)) === 2) return;
      },
    });
    await until("the end", () => made.live === 0);
    assert.deepEqual(heard, ["hello", "hello"]);
  },
);

test(
  "connect: a hook of datagrams that throws ends its session",
  { skip: lackingTransport("udp") },
  async (t) => {
    const endpoint = await echoTwice(t);
    const { outgoing: made, connect, records } = outgoingOf(t);
    const other = await connect(endpoint, { data() {} });
    const session = await connect(endpoint, {
      data() {
        throw new Error("it was too much");
      },
    });
    session.write("hello");
    await until("the end", () => made.live === 1);
    const errors = records.filter(({ event }) => event === "error");
    assert.equal(errors.length, 1, "the second answer comes to nobody");
    assert.equal(errors[0]!["code"], "HOOK_FAILED");
    assert.equal(errors[0]!.session, session.id);
    assert.equal(records.find(({ event }) => event === "close")!["reason"], "error");
    other.abort();
    await until("the end of the other", () => made.live === 0);
  },
);

test(
  "connect: asynchronous hooks of datagrams keep what they are given",
  { skip: lackingTransport("udp") },
  async (t) => {
    const endpoint = await echoTwice(t);
    const { connect, events } = outgoingOf(t);
    const heard: string[] = [];
    let finished = 0;
    const session = await connect(endpoint, {
      async data(session, chunk) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        heard.push(decode(chunk));
        session.end();
      },
      finish: () => void (finished = heard.length),
    });
    session.write("a");
    await until("close", () => events().includes("close"));
    assert.equal(finished, heard.length, "finish comes when every hook has come back");
    assert.ok(heard.length > 0 && heard.every((text) => text === "a"));
  },
);
