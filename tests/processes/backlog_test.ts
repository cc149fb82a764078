/** A peer that reads late gets everything: while there is a backlog for it, nothing more is read from it. */
import assert from "node:assert/strict";
import { createConnection, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import { folder } from "../support/folder.ts";
import { manifest, pluginPath, startServer } from "../support/server-process.ts";
import { until } from "../support/until.ts";
import { lackingStrategy, type StrategyName } from "../support/strategies.ts";

/** Far more than `limits.writeBuffer` and the kernel's buffers. */
const SIZE = 40 * 1024 * 1024;
const CHUNK = 1024 * 1024;

async function connect(t: TestContext, strategy: StrategyName, form: string) {
  const plugin = pluginPath("backlog");
  const one = { plugin, listen: "tcp://127.0.0.1:0", concurrency: strategy, options: { form } };
  const server = await startServer(t, folder(t, { "portico.json": manifest({ one }) }));
  const endpoint = parseEndpoint(server.endpoint("one", "tcp"));
  const socket = createConnection({
    port: "port" in endpoint ? endpoint.port : 0,
    host: "127.0.0.1",
  });
  t.after(() => void socket.destroy());
  socket.pause();
  return { server, socket };
}

/** Waits until nothing moves any more: `count` has been the same for a while. */
async function rests(what: string, count: () => number): Promise<void> {
  let last = -1;
  let since = performance.now();
  await until(`${what} to rest`, () => {
    if (count() !== last) {
      last = count();
      since = performance.now();
    }
    return performance.now() - since > 200;
  }, 30_000);
}

/** Reads on; resolves with the sum of the bytes when so many have come. */
async function readAll(socket: Socket, size: number): Promise<number> {
  let received = 0;
  let sum = 0;
  socket.on("data", (chunk: Uint8Array) => {
    received += chunk.length;
    for (const byte of chunk) sum = (sum * 31 + byte) | 0;
  });
  socket.resume();
  await until(() => `${size} bytes; there are ${received}`, () => received >= size, 30_000);
  assert.equal(received, size);
  return sum;
}

for (const strategy of ["async", "threads", "processes"] as const) {
  const skip = lackingStrategy(strategy);

  for (const form of ["push", "pull"]) {
    test(`${strategy}: an echo in ${form} form comes back whole to a peer that reads late`, {
      skip,
    }, async (t) => {
      const { server, socket } = await connect(t, strategy, form);
      const chunk = Uint8Array.from({ length: CHUNK }, (_, i) => i * 7 + (i >> 8));
      let sum = 0;
      for (let sent = 0; sent < SIZE; sent += CHUNK) {
        socket.write(chunk);
        for (const byte of chunk) sum = (sum * 31 + byte) | 0;
      }
      await rests("the sender", () => socket.bytesWritten - socket.writableLength);
      assert.ok(socket.writableLength > 0, "the server has stopped reading");
      assert.equal(await readAll(socket, SIZE), sum);
      socket.end();
      const close = await server.record({ event: "close" });
      assert.equal(close["reason"], "peer");
      assert.equal(close["bytesOut"], SIZE);
      await server.stop();
    });
  }

  test(`${strategy}: what a handler waits for may be of any size`, { skip }, async (t) => {
    const { server, socket } = await connect(t, strategy, "large");
    socket.write(`${SIZE}\n`);
    await server.record({ event: "log", text: "sends" });
    await readAll(socket, SIZE + "sent\n".length);
    socket.end();
    await server.record({ event: "close", reason: "peer" });
    await server.stop();
  });
}
