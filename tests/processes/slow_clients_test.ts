/** Hundreds of slow clients of each kind: each is ended by its deadline, and a quick one goes on all the time. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { folder } from "../support/folder.ts";
import { dial } from "../support/peers.ts";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import {
  manifest,
  pluginPath,
  type ServerProcess,
  startServer,
} from "../support/server-process.ts";
import { lackingStrategy } from "../support/strategies.ts";
import { until } from "../support/until.ts";

const CLIENTS = 200;

/** What a client of each kind does, and what ends it. */
const KINDS: Readonly<Record<string, readonly [reason: string, act: (socket: Socket) => void]>> = {
  "one byte now and then": ["progress", (socket) => {
    const timer = setInterval(() => socket.write("x"), 250);
    socket.on("close", () => clearInterval(timer));
  }],
  "never reading": ["progress", (socket) => {
    socket.write("pour\n");
    socket.pause();
  }],
  "silent": ["firstByte", () => {}],
  "silent after a word": ["idle", (socket) => void socket.write("hello\n")],
};

/** Descriptors that the server has open. */
function descriptorsOf({ pid }: ServerProcess): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

for (const strategy of ["async", "processes"] as const) {
  test(`${CLIENTS} slow clients of each kind, beside a quick one: ${strategy}`, {
    skip: lackingStrategy(strategy) || (process.platform !== "linux" && "it looks into /proc"),
  }, async (t) => {
    const talk = {
      plugin: pluginPath("talks"),
      // Little fits into the kernel's queue: who does not read is soon seen.
      listen: { endpoint: "tcp://127.0.0.1:0", sendBuffer: "32KiB" },
      concurrency: strategy === "async" ? strategy : { strategy, workers: 2 },
      limits: { firstByte: "1500ms", idle: "3s", progress: "256B/1s" },
    };
    const server = await startServer(t, folder(t, { "portico.json": manifest({ talk }) }));
    const endpoint = server.endpoint("talk", "tcp");
    const { host, port } = parseEndpoint(endpoint) as { host: string; port: number };
    const quick = await dial(t, endpoint);
    await quick.echo("first\n");
    const before = descriptorsOf(server);
    let ended = 0;
    for (const [kind, [reason, act]] of Object.entries(KINDS)) {
      const sockets = await Promise.all(Array.from({ length: CLIENTS }, async () => {
        const socket = connect(port, host);
        socket.on("error", () => {});
        await new Promise((resolve) => socket.once("connect", resolve));
        act(socket);
        return socket;
      }));
      ended += CLIENTS;
      while (server.all({ event: "close" }).length < ended) {
        await quick.echo(`beside ${kind}\n`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      for (const socket of sockets) socket.destroy();
      const reasons = server.all({ event: "close" }).slice(-CLIENTS).map(({ reason }) => reason);
      assert.deepEqual([...new Set(reasons)], [reason], kind);
    }
    assert.equal(server.all({ event: "close" }).length, ended, "and nobody else");
    await until("the descriptors that there were before", () => descriptorsOf(server) <= before);
    await quick.echo("last\n");
    await server.stop();
  });
}

const APP = `export default {
  fetch(request) {
    if (request.method === "POST") return request.text().then((text) => new Response(text));
    return new Response(new ReadableStream({
      pull(controller) { controller.enqueue(new Uint8Array(65536)); },
    }), { headers: { "content-type": "text/event-stream" } });
  },
};`;

/** What a runtime's HTTP server tells of a connection decides what can be measured there. */
const SAYS = "Deno" in globalThis ? "nothing" : "answers";

test("http: an answer that is not read ends by progress", {
  skip: SAYS === "nothing" && "the HTTP server of this runtime tells nothing of what is not read",
}, async (t) => {
  const web = {
    plugin: "http",
    listen: "http://127.0.0.1:0",
    options: { app: "./app.js" },
    limits: { progress: "256B/500ms" },
  };
  const home = folder(t, { "app.js": APP, "portico.json": manifest({ web }) });
  const server = await startServer(t, home);
  const { host, port } = parseEndpoint(server.endpoint("web", "http")) as {
    host: string;
    port: number;
  };
  const call = (text: string): Socket => {
    const socket = connect(port, host).on("error", () => {});
    t.after(() => void socket.destroy());
    socket.write(text);
    return socket;
  };
  call("GET / HTTP/1.1\r\nhost: x\r\n\r\n").pause();
  await server.record({ event: "close", service: "web", method: "GET", reason: "progress" });
  const whole = await fetch(`http://${host}:${port}/`, { method: "POST", body: "x".repeat(1000) });
  assert.equal((await whole.text()).length, 1000);
  await server.stop();
});

const READERS = `const later = () => new Promise((resolve) => setTimeout(resolve, 3000));
const READ = {
  "/text": (request) => request.text(),
  "/json": async (request) => JSON.stringify(await request.json()),
  async "/chunks"(request) {
    let length = 0;
    for await (const chunk of request.body) length += chunk.length;
    return String(length);
  },
  async "/late"(request) {
    await request.text();
    await later();
    return "late";
  },
  async "/unread"() {
    await later();
    return "unread";
  },
};
export default {
  async fetch(request) {
    return new Response(await READ[new URL(request.url).pathname](request));
  },
};`;

/** A service with a deadline of a second for 256 bytes. */
async function startReaders(t: TestContext) {
  const limits = { progress: "256B/1s" };
  const web = {
    plugin: "http",
    listen: "http://127.0.0.1:0",
    options: { app: "./app.js" },
    limits,
  };
  const home = folder(t, { "app.js": READERS, "portico.json": manifest({ web }) });
  const server = await startServer(t, home);
  const { host, port } = parseEndpoint(server.endpoint("web", "http")) as {
    host: string;
    port: number;
  };
  /** A head that promises 5,000 bytes; then so many each 100 ms. */
  const trickle = (path: string, bytes: number): Socket => {
    const socket = connect(port, host).on("error", () => {});
    socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\n`);
    let left = 5000;
    const timer = setInterval(() => {
      socket.write("x".repeat(Math.min(bytes, left)));
      left -= bytes;
      if (left <= 0) clearInterval(timer);
    }, 100);
    t.after(() => {
      clearInterval(timer);
      socket.destroy();
    });
    return socket;
  };
  return { server, trickle, url: `http://${host}:${port}` };
}

async function answerOf(socket: Socket): Promise<string> {
  let text = "";
  try {
    for await (const bytes of socket) text += bytes;
  } catch {
    // Some are reset: nobody waits for the rest of what they send.
  }
  return text;
}

test("http: a body that trickles in ends by progress, however it is read", async (t) => {
  const { server, trickle } = await startReaders(t);
  for (const path of ["/text", "/json", "/chunks"]) {
    const answer = answerOf(trickle(path, 1));
    const { status } = await server.record({
      event: "close",
      service: "web",
      path,
      reason: "progress",
    });
    assert.equal(status, 503, path);
    // The connection ends with it.
    assert.match(await answer, /^HTTP\/1.1 503 /, path);
  }
  await server.stop();
});

test("http: a body that comes slowly enough, a plugin that works or does not read: not the peer's fault", async (t) => {
  const { server, trickle, url } = await startReaders(t);
  // A fifth of it would do, on a machine that is busy.
  const slowly = trickle("/text", 150);
  const post = async (path: string, body: string) =>
    await (await fetch(url + path, { method: "POST", body })).text();
  const unread = trickle("/unread", 1);
  const first = (socket: Socket): Promise<string> =>
    new Promise((resolve) => socket.once("data", (bytes) => resolve(`${bytes}`)));
  const [late, text, json, chunks, slow, idle] = await Promise.all([
    post("/late", "x".repeat(2000)),
    post("/text", "x".repeat(2000)),
    post("/json", '{ "a": 1 }'),
    post("/chunks", "x".repeat(200_000)),
    first(slowly),
    first(unread),
  ]);
  assert.deepEqual([late, text.length, json, chunks], ["late", 2000, '{"a":1}', "200000"]);
  assert.match(slow, /^HTTP\/1.1 200 /);
  assert.match(idle, /^HTTP\/1.1 200 /);
  assert.deepEqual(server.all({ reason: "progress" }), []);
  await server.stop();
});
