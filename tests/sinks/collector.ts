/** Peers of the syslog sink in this process: servers that keep what they are sent. */
import assert from "node:assert/strict";
import { createSocket, type Socket as Gram } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";
import type { LogRecord, Sink } from "../../runtime/core/record.ts";
import { checkSink, openSinks } from "../../runtime/sinks/mod.ts";
import { parse5424 } from "./parse.ts";
import { adapter } from "../support/adapter.ts";

/** The nth of many. */
export function record(n: number, text = "x"): LogRecord {
  return { time: Date.UTC(2026, 10, 20), level: "info", event: "log", text, n };
}

/** Opens a sink as a manifest does; it is closed when the test is over. */
export async function open(
  t: TestContext,
  options: Record<string, unknown>,
  warnings: string[] = [],
): Promise<Sink> {
  const check = checkSink({ type: "syslog", options });
  assert.ok("options" in check, JSON.stringify(check));
  const host = { adapter, warn: (text: string) => void warnings.push(text) };
  const plan = { name: "s", type: "syslog", level: "debug", options: check.options } as const;
  const { sink } = (await openSinks([plan], host))[0]!;
  t.after(() => sink.close!());
  return sink;
}

/** A server of streams that keeps what it is sent, by connection. */
export class Collector {
  readonly server: Server;
  readonly sockets: Socket[] = [];
  readonly chunks: Uint8Array[][] = [];

  constructor(t: TestContext, reading = true) {
    this.server = createServer({ allowHalfOpen: true }, (socket) => {
      const chunks: Uint8Array[] = [];
      this.sockets.push(socket);
      this.chunks.push(chunks);
      socket.on("error", () => {});
      if (!reading) return void socket.pause();
      socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      socket.on("end", () => socket.end());
    });
    t.after(() => {
      for (const socket of this.sockets) socket.destroy();
      this.server.close();
    });
  }

  async listen(at: { port: number; host: string } | { path: string }): Promise<this> {
    this.server.listen(at);
    await once(this.server, "listening");
    return this;
  }

  get port(): number {
    return (this.server.address() as { port: number }).port;
  }

  bytes(connection: number): Uint8Array {
    return new Uint8Array(Buffer.concat(this.chunks[connection] ?? []));
  }
}

export const anyPort = { port: 0, host: "127.0.0.1" };

/** Which one a message of RFC 5424 is. */
export const numberIn = (bytes: Uint8Array): number =>
  Number(parse5424(bytes).params.find(([name]) => name === "n")?.[1]);

/** A server of UDP. */
export async function bindUdp(
  port: number,
  host = "127.0.0.1",
): Promise<{ socket: Gram; received: Uint8Array[] }> {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  const received: Uint8Array[] = [];
  socket.on("message", (bytes: Uint8Array) => received.push(bytes));
  socket.bind(port, host);
  await once(socket, "listening");
  return { socket, received };
}
