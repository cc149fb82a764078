import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { resolve } from "node:path";
import { test } from "node:test";
import type { Hooks, Session } from "../../runtime/core/plugin.ts";
import { freeAddress, lackingTransport } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { startHooks } from "../support/in-process.ts";
import { echoTwice, outgoingOf, tcpServer } from "../support/outgoing.ts";
import { until, within } from "../support/until.ts";

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

test("connect: push form, with a state, from the open to the finish", async (t) => {
  const endpoint = await tcpServer(t, (socket) => void socket.pipe(socket));
  const { connect, records, events } = outgoingOf(t);
  const done = Promise.withResolvers<void>();
  const hooks: Hooks<{ heard: string }> = {
    verify: () => assert.fail("nobody asks whom we call"),
    setup: () => assert.fail("its state is given"),
    data: (session, chunk) => void (session.state.heard += decode(chunk)),
    finish: () => done.resolve(),
  };
  const session = await connect(endpoint, hooks, { state: { heard: "" } });
  assert.equal(session.kind, "stream");
  assert.equal(String(session.remote), endpoint);
  session.write("hello ");
  session.write("world");
  await until("the echo", () => session.state.heard === "hello world");
  session.end();
  await within("finish", done.promise);
  await until("close", () => events().includes("close"));
  assert.deepEqual(
    records.map(({ event, level, outgoing, reason }) => [event, level, outgoing ?? reason]),
    [
      ["open", "debug", true],
      ["close", "debug", "done"],
    ],
  );
  assert.equal(records[1]!["bytesIn"], 11);
  assert.equal(records[1]!["bytesOut"], 11);
});

test("connect: pull form ends when handle returns", async (t) => {
  const endpoint = await tcpServer(t, (socket) => {
    socket.on("data", (chunk) => socket.write(`${String(chunk).toUpperCase()}\nmore\n`));
    socket.on("end", () => socket.end());
  });
  const { outgoing, connect } = outgoingOf(t);
  const heard = Promise.withResolvers<string>();
  await connect(endpoint, {
    async handle(session) {
      session.write("hello");
      for await (const line of session.lines()) {
        heard.resolve(line);
        return;
      }
    },
  });
  assert.equal(await within("a line", heard.promise), "HELLO");
  await until("the end", () => outgoing.live === 0);
});

test("connect: one table serves many, and each knows what it belongs to", async (t) => {
  const endpoint = await tcpServer(t, (socket) => void socket.pipe(socket));
  const { outgoing: made, connect } = outgoingOf(t);
  class Table implements Hooks<number> {
    readonly #heard = new Map<number, string>();
    data(session: Session<number>, chunk: Uint8Array): void {
      this.#heard.set(session.state, (this.#heard.get(session.state) ?? "") + decode(chunk));
    }
    get size(): number {
      return [...this.#heard].filter(([id, text]) => text === `I am ${id}`).length;
    }
  }
  const table = new Table();
  const sessions = await Promise.all(
    Array.from({ length: 20 }, (_, state) => connect(endpoint, table, { state })),
  );
  assert.equal(made.live, 20);
  for (const session of sessions) session.write(`I am ${session.state}`);
  await until("all echoes", () => table.size === 20);
  for (const session of sessions) session.abort();
  await until("the end of all", () => made.live === 0);
});

test("connect: write says false, and drain follows", async (t) => {
  const sockets: Socket[] = [];
  const endpoint = await tcpServer(t, (socket) => {
    sockets.push(socket.pause());
  });
  const { connect } = outgoingOf(t, { writeBuffer: "64MiB" });
  const drained = Promise.withResolvers<void>();
  let received = 0;
  const session = await connect(endpoint, { data() {}, drain: () => drained.resolve() });
  const block = new Uint8Array(1 << 20);
  while (session.bytesOut < 32 << 20) session.write(block);
  assert.equal(session.write(block), false);
  sockets[0]!.on("data", (chunk: Uint8Array) => received += chunk.length).resume();
  await within("drain", drained.promise);
  await until("all of it", () => received === session.bytesOut);
});

test("connect: who cannot be reached is named, and is not the peer's fault", async (t) => {
  const endpoint = await tcpServer(t, () => {});
  const missing = `unix:${resolve(folder(t, {}), "none.sock")}`;
  const closed = await new Promise<string>((done) => {
    const listener = createServer().listen(0, "127.0.0.1", () => {
      const { port } = listener.address() as { port: number };
      listener.close(() => done(`tcp://127.0.0.1:${port}`));
    });
  });
  const { connect, records } = outgoingOf(t);
  for (const [text, code] of [[closed, "ECONNREFUSED"], [missing, "ENOENT"]] as const) {
    await assert.rejects(connect(text, { data() {} }), (error: Error & { code?: string }) => {
      assert.equal(error.code, code);
      assert.ok(error.message.includes(text), error.message);
      assert.equal((error as { side?: string }).side, "host");
      return true;
    });
  }
  for (
    const [text, hooks, pattern] of [
      ["http://127.0.0.1:1", { data() {} }, /only to tcp, tls, unix, udp, unixgram/],
      ["tcp://*:1", { data() {} }, /a host and a port are needed/],
      ["udp://127.0.0.1:0", { data() {} }, /a host and a port are needed/],
      ["nonsense", { data() {} }, /an endpoint is one of/],
      [endpoint, {}, /neither data nor handle/],
      [endpoint, { data() {}, handle() {} }, /both data and handle/],
    ] as const
  ) {
    await assert.rejects(connect(text, hooks), (error: Error & { code?: string }) => {
      assert.equal(error.code, "USAGE");
      assert.match(error.message, pattern);
      return true;
    });
  }
  assert.deepEqual(records, []);
});

test("connect: relative paths start at the manifest's folder", async (t) => {
  const server = await startHooks(t, { data: (session, chunk) => void session.write(chunk) }, {
    listen: freeAddress(t, "unix"),
  });
  const path = server.endpoint().slice("unix:".length);
  const parent = path.slice(0, path.lastIndexOf("/"));
  const { connect } = outgoingOf(t, {}, `${parent}/portico.json`);
  const heard = Promise.withResolvers<string>();
  const session = await connect("unix:./a.sock", {
    data: (_, chunk) => heard.resolve(decode(chunk)),
  });
  session.write("hello");
  assert.equal(await within("the echo", heard.promise), "hello");
});

test("connect: a drain waits, then ends who is left; later nobody is connected", async (t) => {
  const endpoint = await tcpServer(t, (socket) => void socket.pipe(socket));
  const { outgoing: made, connect, records } = outgoingOf(t);
  const session = await connect(endpoint, { data() {} });
  const { signal } = session;
  const reasons: string[] = [];
  signal.addEventListener("abort", () => reasons.push((signal.reason as Error).message));
  const datagrams = lackingTransport("udp") === false;
  if (datagrams) await connect(await echoTwice(t), { data() {} });
  assert.equal(made.live, datagrams ? 2 : 1);
  await within("the drain", made.drain(20));
  assert.deepEqual(reasons, ["drain"]);
  assert.equal(made.live, 0);
  const closes = records.filter(({ event }) => event === "close");
  assert.ok(closes.length > 0 && closes.every(({ reason }) => reason === "drain"));
  await assert.rejects(connect(endpoint, { data() {} }), { code: "SESSION_CLOSED" });
});

test("connect: who is connected while the drain ends is closed again", async (t) => {
  let accepted = 0;
  const endpoint = await tcpServer(t, (socket) => {
    accepted++;
    socket.resume();
  });
  const { outgoing: made, connect } = outgoingOf(t);
  const connecting = connect(endpoint, { data() {} });
  await made.drain(0);
  await assert.rejects(connecting, { code: "SESSION_CLOSED" });
  await until("the end", () => made.live === 0);
  assert.ok(accepted <= 1);
});
