/** The server that one writes first with node:net and node:dgram. */
import dgram from "node:dgram";
import net from "node:net";
import { call, listening, type StreamHandler } from "./call.ts";
import { type Carry, COLLECT, collect, joined, MESSAGE } from "./message.ts";

const { transport, handler, port, path } = call();
const host = "127.0.0.1";
const survive = (): void => {};

function echo(socket: net.Socket): void {
  socket.on("error", survive);
  socket.on("data", (chunk: Uint8Array) => socket.write(chunk));
}

/** As the example of node:net has it. */
function bulk(socket: net.Socket): void {
  socket.on("error", survive);
  socket.pipe(socket);
}

function pipelined(socket: net.Socket): void {
  const carry: Carry = { held: undefined };
  socket.on("error", survive);
  socket.on("data", (chunk: Uint8Array) => {
    const bytes = joined(carry, chunk);
    let at = 0;
    for (; at + MESSAGE <= bytes.length; at += MESSAGE) {
      socket.write(bytes.subarray(at, at + MESSAGE));
    }
    if (at < bytes.length) carry.held = bytes.slice(at);
  });
}

function idle(socket: net.Socket): void {
  socket.on("error", survive);
  socket.on("data", (chunk: Uint8Array) => {
    if (chunk[0] === COLLECT) collect();
    socket.write(chunk);
  });
}

if (transport === "udp") {
  const socket = dgram.createSocket("udp4");
  socket.on("error", survive);
  socket.on("message", (message, from) => socket.send(message, from.port, from.address));
  socket.bind(port, host, listening);
} else {
  const server = net.createServer(
    { noDelay: true },
    { echo, bulk, pipelined, idle }[handler as StreamHandler],
  );
  if (transport === "tcp") server.listen({ port, host }, listening);
  else server.listen({ path }, listening);
}
