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
