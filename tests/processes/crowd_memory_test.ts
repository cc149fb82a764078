/** A server's memory after crowds that have read nothing, as the kernel has it. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import { folder } from "../support/folder.ts";
import { statusOf } from "../support/proc.ts";
import { manifest, pluginPath, startServer } from "../support/server-process.ts";
import { until } from "../support/until.ts";

const CLIENTS = 600;
/** Long before collectors come by themselves, in ms. */
const SOON = 12_000;

/** In MiB. */
const residentOf = (pid: number): number => Number(statusOf(pid, "VmRSS")[0]) / 1024;

test("after a crowd that has read nothing its memory goes back to the kernel", {
  skip: process.platform !== "linux" && "it looks into /proc",
}, async (t) => {
  const talk = {
    plugin: pluginPath("talks"),
    // Little fits into the kernel's queue: who does not read is soon seen.
    listen: { endpoint: "tcp://127.0.0.1:0", sendBuffer: "32KiB" },
    limits: { progress: "256B/1s" },
  };
  const server = await startServer(t, folder(t, { "portico.json": manifest({ talk }) }));
  const { pid } = server;
  const { host, port } = parseEndpoint(server.endpoint("talk", "tcp")) as {
    host: string;
    port: number;
  };
  const before = residentOf(pid);
  let most = before;
  const sockets = Array.from({ length: CLIENTS }, () => {
    const socket = connect(port, host).on("error", () => {});
    socket.pause().write("pour\n");
    return socket;
  });
  t.after(() => sockets.forEach((socket) => void socket.destroy()));
  const ended = () => server.all({ event: "close", reason: "progress" }).length;
  await until(
    "their end",
    () => {
      most = Math.max(most, residentOf(pid));
      return ended() === CLIENTS;
    },
    undefined,
    ended,
  );
  assert.ok(most - before >= CLIENTS / 16, `${before} → ${most} MiB`);
  const now = () => `${before} → ${most} → ${residentOf(pid)} MiB`;
  await until(now, () => residentOf(pid) < before + (most - before) / 2, SOON);
  await server.stop();
});
