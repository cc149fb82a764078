/** listen: a plugin's own listeners, and who comes to them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTo, createServer, type Server, type Socket } from "node:net";
import { describe, test, type TestContext } from "node:test";
import { expandPorts, parseEndpoint } from "../../runtime/core/endpoint.ts";
import {
  definePlugin,
  type Listening,
  type Plugin,
  type StartContext,
} from "../../runtime/core/plugin.ts";
import { startHooks } from "../support/in-process.ts";
import { freePort } from "../support/ports.ts";
import { until, within } from "../support/until.ts";

type Listen = StartContext<unknown>["listen"];

/** A service whose `listen` the test has. */
async function start(t: TestContext, service: Readonly<Record<string, unknown>> = {}) {
  const found = Promise.withResolvers<Listen>();
  const plugin = definePlugin({
    name: "listener",
    transports: ["stream"],
    start: ({ listen }) => {
      found.resolve(listen);
      return { data: (session, chunk) => void session.write(chunk) };
    },
  }) as unknown as Plugin<never, never>;
  const server = await startHooks(t, plugin, service);
  return { server, listen: await found.promise };
}

function dial(t: TestContext, to: string, localAddress?: string): Socket {
  const { host, port } = parseEndpoint(to) as { host: string; port: number };
  const socket = connectTo({ host, port, ...(localAddress !== undefined && { localAddress }) });
  socket.on("error", () => {});
  t.after(() => void socket.destroy());
  return socket;
}

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe("listen", () => {
  test("who comes is a session of the service, in pull form for whoever listens", async (t) => {
    const { server, listen } = await start(t);
    const data = await listen("tcp://127.0.0.1:0", undefined, { once: true });
    const client = dial(t, String(data.address));
    const session = await within("who has come", data.accepted);
    client.end("hello");
    const chunks: string[] = [];
    for await (const chunk of session) chunks.push(decode(chunk));
    assert.equal(chunks.join(""), "hello");
    assert.equal(server.status().live, 1);
    session.write("bye");
    session.end();
    assert.equal(String(await within("the answer", once(client, "data"))), "bye");
    const close = await server.record("close");
    assert.deepEqual([close["bytesIn"], close["bytesOut"], close["reason"]], [5, 3, "peer"]);
    const { live, served, bytesIn, bytesOut } = server.status();
    assert.deepEqual({ live, served, bytesIn, bytesOut }, {
      live: 0,
      served: 1,
      bytesIn: 5,
      bytesOut: 3,
    });
    // Once: nobody listens any more.
    const [error] = await within("a refusal", once(dial(t, String(data.address)), "error"));
    assert.equal((error as { code: string }).code, "ECONNREFUSED");
  });

  test("with hooks it serves as the service does, and many", async (t) => {
    const { server, listen } = await start(t);
    const finished: number[] = [];
    const mine = await listen<number>("tcp://127.0.0.1:0", {
      verify: ({ remote }) => remote.host === "127.0.0.1",
      setup: ({ id }) => id,
      data: (session, chunk) => void session.write(`${decode(chunk)} ${session.state}`),
      finish: ({ state }) => void finished.push(state),
    });
    for (let i = 0; i < 3; i++) {
      const client = dial(t, String(mine.address));
      client.write("x");
      const answer = String(await within("the answer", once(client, "data")));
      client.end();
      await until("finish", () => finished.length === i + 1);
      assert.equal(answer, `x ${finished[i]}`);
    }
    await mine.close();
    await mine.close();
    assert.equal(server.status().served, 3);
  });

  test("only whom it is for comes in; the others are refused by name", async (t) => {
    const { server, listen } = await start(t);
    const data = await listen("tcp://127.0.0.1:0", undefined, { once: true, from: "127.0.0.2" });
    const stranger = dial(t, String(data.address), "127.0.0.3");
    await within("the end", once(stranger, "close"));
    const refuse = await server.record("refuse");
    assert.equal(refuse["rule"], "from");
    dial(t, String(data.address), "127.0.0.2");
    const session = await within("who has come", data.accepted);
    assert.equal(session.remote.host, "127.0.0.2");
    session.abort();
  });

  test("rules and places hold; turns are not needed, and a drain waits", async (t) => {
    const { server, listen } = await start(t, {
      concurrency: "serial",
      limits: { sessions: 2, drain: "5s" },
      access: { deny: ["127.0.0.9"] },
    });
    const control = dial(t, server.endpoint());
    control.write("has the turn");
    await within("the turn", once(control, "data"));
    const data = await listen("tcp://127.0.0.1:0");
    dial(t, String(data.address), "127.0.0.9");
    assert.equal((await server.record("refuse"))["rule"], "deny 127.0.0.9");
    const client = dial(t, String(data.address));
    const session = await within("who has come", data.accepted);
    dial(t, String(data.address));
    assert.equal((await server.record("refuse", 2))["limit"], "sessions");
    assert.equal(server.status().live, 2);
    let drained = false;
    const draining = server.running.drain("tested").then(() => drained = true);
    control.end();
    await until("the control session's end", () => server.status().live === 1);
    assert.equal(drained, false);
    session.write("late, and whole");
    session.end();
    assert.equal(String(await within("the answer", once(client, "data"))), "late, and whole");
    client.end();
    await within("the drain", draining);
    assert.equal(server.all("close").filter(({ reason }) => reason === "drain").length, 0);
  });

  test("nobody comes: it is closed after its time, and says so", async (t) => {
    const { listen } = await start(t);
    const data = await listen("tcp://127.0.0.1:0", undefined, { timeout: "30ms" });
    await assert.rejects(data.accepted, { code: "ETIMEDOUT", message: /nobody has come to tcp:/ });
    const [error] = await within("a refusal", once(dial(t, String(data.address)), "error"));
    assert.equal((error as { code: string }).code, "ECONNREFUSED");
    const other = await listen("tcp://127.0.0.1:0");
    await other.close();
    await assert.rejects(other.accepted, { code: "SESSION_CLOSED" });
  });

  test("of a range it takes one that is free, and says when there is none", async (t) => {
    const { listen } = await start(t);
    // Three ports in a row that are free, as far as one can know.
    const range = await freeRange(3);
    const text = `tcp://127.0.0.1:${range}-${range + 2}`;
    const open: Listening[] = [];
    for (let i = 0; i < 3; i++) open.push(await listen(text));
    const ports = open.map(({ address }) => address.port).sort();
    assert.deepEqual(ports, [range, range + 1, range + 2]);
    await assert.rejects(listen(text), { code: "EADDRINUSE", side: "host" });
    await open[1]!.close();
    open[1] = await listen(text);
    assert.equal(open[1].address.port, ports.find((port) => port === open[1]!.address.port));
  });

  test("what cannot be listened on is named at the plugin's line", async (t) => {
    const { listen } = await start(t);
    for (const text of ["udp://127.0.0.1:0", "http://127.0.0.1:0", "nowhere", "tcp://*:9-8"]) {
      await assert.rejects(listen(text), { code: "USAGE", side: "plugin" });
    }
    await assert.rejects(listen("tcp://127.0.0.1:0", {}), /neither data nor handle/);
    await assert.rejects(listen("tcp://127.0.0.1:0", undefined, { timeout: "soon" }), RangeError);
  });

  test("the end of the service closes all, and later nobody listens", async (t) => {
    const { server, listen } = await start(t);
    const data = await listen("tcp://127.0.0.1:0");
    dial(t, String(data.address));
    const session = await within("who has come", data.accepted);
    await within("the end", server.running.kill());
    assert.deepEqual(await session.closed, { reason: "drain" });
    await assert.rejects(listen("tcp://127.0.0.1:0"), { code: "SESSION_CLOSED" });
    const [error] = await within("a refusal", once(dial(t, String(data.address)), "error"));
    assert.equal((error as { code: string }).code, "ECONNREFUSED");
  });
});

async function freeRange(count: number): Promise<number> {
  for (;;) {
    const port = await freePort();
    const servers: Server[] = [];
    let free = true;
    for (let i = 0; i < count; i++) {
      const server = createServer();
      server.listen(port + i, "127.0.0.1");
      servers.push(server);
      free &&= await Promise.race([
        once(server, "listening").then(() => true),
        once(server, "error").then(() => false),
      ]).catch(() => false);
    }
    await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
    if (free) return port;
  }
}

test("expandPorts: a range is its ports, anything else itself", () => {
  assert.deepEqual(expandPorts("tcp://*:30000-30002"), [
    "tcp://*:30000",
    "tcp://*:30001",
    "tcp://*:30002",
  ]);
  assert.deepEqual(expandPorts("udp://[::1]:5-5"), ["udp://[::1]:5"]);
  for (const text of ["tcp://a:80", "unix:./a:1-2", "tcp://a:b-c"]) {
    assert.deepEqual(expandPorts(text), [text]);
  }
  for (const text of ["tcp://*:0-5", "tcp://*:9-8", "tcp://*:65000-65536", "tcp://*:1-2000"]) {
    assert.throws(() => expandPorts(text), { name: "SyntaxError", message: /a range of ports/ });
  }
});
