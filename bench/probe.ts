/** Whether a server answers, and with the right bytes; the load generator then only counts. */
import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import { get } from "node:http";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { Case } from "./case.ts";
import type { Client } from "./client.ts";
import { LF } from "./bare/message.ts";
import { message, type Target } from "./load/traffic.ts";
import type { Server } from "./server.ts";

const WAIT = 1_000;
const PATIENCE = 20_000;
/** What every handler of HTTP answers. */
const BODY = "Hello Hono!";

/** Waits until it answers, with what it should. @throws with its own words when it does not */
export async function answers(server: Server, of: Case, client: Client): Promise<void> {
  const until = performance.now() + PATIENCE;
  for (;;) {
    try {
      return await probe(server.target, of, client);
    } catch (error) {
      if (server.child.exitCode !== null || performance.now() > until) {
        throw new Error(`${String(error)}\n${server.errors}`.trim());
      }
      await pause(50);
    }
  }
}

async function probe(target: Target, { shapes: [shape] }: Case, client: Client): Promise<void> {
  if (target.transport === "http") return await request(target);
  // No runtime has such sockets: the generator has, and looks at the bytes.
  if (target.transport === "unixgram") return await turn(target, client);
  // Its lines end where the generator's do.
  const one = message(shape.size).map((byte) => byte === LF ? LF : 0x40 + Math.random() * 32);
  await exchange(target, Buffer.concat(Array.from({ length: shape.depth }, () => one)));
}

async function turn(target: Target, client: Client): Promise<void> {
  const shape = { kind: "echo", sockets: 1, size: 64, depth: 1, rate: 0 } as const;
  try {
    await client.open("probe", target, shape);
    await client.run(["probe"], 0, [process.pid]);
  } finally {
    await client.close("probe");
  }
}

/** Sends bytes and waits for the same. @throws when nothing or something else comes back. */
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

function request({ port }: Target): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const asked = get({ host: "127.0.0.1", port, agent: false, timeout: WAIT }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
    response.on("end", () => {
      if (response.statusCode === 200 && text === BODY) resolve();
      else reject(new Error(`the answer is ${response.statusCode} ${text}`));
    });
  });
  asked.on("timeout", () => asked.destroy(new Error("no answer")));
  asked.on("error", reject);
  return promise;
}
