/** Hundreds of slow clients of each kind: each is ended by its deadline, and a quick one goes on all the time. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { test } from "node:test";
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
const SAYS = "Deno" in globalThis ? "nothing" : "Bun" in globalThis ? "answers" : "all";

test("http: a body that trickles in, and an answer that is not read, end by progress", {
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
  if (SAYS === "all") {
    const slow = call("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n");
    const timer = setInterval(() => slow.write("x"), 100);
    t.after(() => clearInterval(timer));
    const answer = new Promise<string>((resolve) =>
      slow.once("data", (bytes) => resolve(`${bytes}`))
    );
    const { status } = await server.record({
      event: "close",
      service: "web",
      method: "POST",
      reason: "progress",
    });
    assert.equal(status, 503);
    assert.match(await answer, /^HTTP\/1.1 503 /);
  }
  const whole = await fetch(`http://${host}:${port}/`, { method: "POST", body: "x".repeat(1000) });
  assert.equal((await whole.text()).length, 1000);
  await server.stop();
});
