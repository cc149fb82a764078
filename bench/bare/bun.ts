/**
 * The server that one writes first with Bun.listen and Bun.udpSocket. `Socket.write` may take a part
 * only, and Bun forgets the rest: what is left is kept and goes out in `drain`.
 */
import { call, listening, type StreamHandler } from "./call.ts";
import { type Carry, COLLECT, collect, joined, MESSAGE } from "./message.ts";

/** A connection's state: what could not be sent yet, and a message that is not whole yet. */
interface State extends Carry {
  backlog: Uint8Array[] | undefined;
}

const { transport, handler, port, path } = call();
const hostname = "127.0.0.1";

function send(socket: Bun.Socket<State>, bytes: Uint8Array): void {
  if (socket.data.backlog !== undefined) {
    socket.data.backlog.push(bytes);
    return;
  }
  const sent = socket.write(bytes);
  if (sent >= 0 && sent < bytes.length) socket.data.backlog = [bytes.subarray(sent)];
}

function drain(socket: Bun.Socket<State>): void {
  const backlog = socket.data.backlog;
  socket.data.backlog = undefined;
  for (const bytes of backlog ?? []) send(socket, bytes);
  if (handler === "bulk" && socket.data.backlog === undefined) socket.resume();
}

/** A peer that does not read is not read from. */
function bulk(socket: Bun.Socket<State>, bytes: Uint8Array): void {
  send(socket, bytes);
  if (socket.data.backlog !== undefined) socket.pause();
}

const data = {
  echo: send,
  bulk,
  pipelined(socket: Bun.Socket<State>, chunk: Uint8Array): void {
    const bytes = joined(socket.data, chunk);
    let at = 0;
    for (; at + MESSAGE <= bytes.length; at += MESSAGE) {
      send(socket, bytes.subarray(at, at + MESSAGE));
    }
    if (at < bytes.length) socket.data.held = bytes.slice(at);
  },
  idle(socket: Bun.Socket<State>, chunk: Uint8Array): void {
    if (chunk[0] === COLLECT) collect();
    send(socket, chunk);
  },
}[handler as StreamHandler];

const socket: Bun.SocketHandler<State> = {
  open(socket) {
    socket.data = { backlog: undefined, held: undefined };
    if (transport === "tcp") socket.setNoDelay(true);
  },
  data,
  drain,
  error() {},
  close() {},
};

if (transport === "udp") {
  await Bun.udpSocket({
    hostname,
    port,
    socket: {
      data: (socket, bytes, port, address) => void socket.send(bytes, port, address),
      error() {},
    },
  });
} else if (transport === "tcp") Bun.listen<State>({ hostname, port, socket });
else Bun.listen<State>({ unix: path, socket });
listening();
