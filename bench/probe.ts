/** One exchange with a server, compared byte for byte; the load generator then only counts. */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import type { Target } from "./load/traffic.ts";

const WAIT = 1_000;

/** Sends `size` random bytes and waits for the same. @throws when nothing or something else comes back. */
export async function probe(target: Target, size: number): Promise<void> {
  const sent = randomBytes(size);
  await exchange(target, sent);
}

/** Sends bytes and waits for the same. */
export function exchange(target: Target, sent: Uint8Array): Promise<void> {
  return target.transport === "udp" ? datagram(target, sent) : stream(target, sent);
}

function stream(target: Target, sent: Uint8Array): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = target.transport === "tcp"
    ? connect({ port: target.port, host: "127.0.0.1" })
    : connect({ path: target.path });
  const chunks: Uint8Array[] = [];
  let length = 0;
  socket.setTimeout(WAIT, () => reject(new Error("no answer")));
  socket.on("error", reject);
  socket.on("close", () => reject(new Error("the connection was closed without an answer")));
  socket.on("connect", () => socket.write(sent));
  socket.on("data", (chunk: Uint8Array) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length < sent.length) return;
    if (Buffer.compare(Buffer.concat(chunks), sent) === 0) resolve();
    else reject(new Error("the answer is not what was sent"));
  });
  return promise.finally(() => socket.destroy());
}

function datagram(target: Target, sent: Uint8Array): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = createSocket("udp4");
  const timer = setTimeout(() => reject(new Error("no answer")), WAIT);
  socket.on("error", reject);
  socket.on("message", (answer) => {
    if (Buffer.compare(answer, sent) === 0) resolve();
    else reject(new Error("the answer is not what was sent"));
  });
  socket.connect(target.port, "127.0.0.1", () => socket.send(sent));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.close();
  });
}
