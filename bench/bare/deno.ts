/**
 * The server that one writes first with Deno.listen and Deno.listenDatagram: a loop of read and write
 * for each connection, with a buffer of its own. 16 KiB takes the largest message of the benchmark in
 * one read; a larger one is no faster here, and would only make the bare server's memory look bad.
 */
import { call, listening, type StreamHandler } from "./call.ts";
import { type Carry, COLLECT, collect, joined, MESSAGE } from "./message.ts";

const { transport, handler, port, path } = call();
const hostname = "127.0.0.1";
const BUFFER = 16 * 1024;

/** `Conn.write` may take a part only. */
async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  let sent = await connection.write(bytes);
  while (sent < bytes.length) sent += await connection.write(bytes.subarray(sent));
}

async function repeat(connection: Deno.Conn, buffer: Uint8Array): Promise<void> {
  for (;;) {
    const length = await connection.read(buffer);
    if (length === null) return;
    await writeAll(connection, buffer.subarray(0, length));
  }
}

const echo = (connection: Deno.Conn) => repeat(connection, new Uint8Array(BUFFER));

/** As much at once as the other runtimes read. `readable.pipeTo(writable)` takes up to twice the time. */
const bulk = (connection: Deno.Conn) => repeat(connection, new Uint8Array(4 * BUFFER));

async function pipelined(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(BUFFER);
  const carry: Carry = { held: undefined };
  for (;;) {
    const length = await connection.read(buffer);
    if (length === null) return;
    const bytes = joined(carry, buffer.subarray(0, length));
    let at = 0;
    for (; at + MESSAGE <= bytes.length; at += MESSAGE) {
      await writeAll(connection, bytes.subarray(at, at + MESSAGE));
    }
    if (at < bytes.length) carry.held = bytes.slice(at);
  }
}

async function idle(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(BUFFER);
  for (;;) {
    const length = await connection.read(buffer);
    if (length === null) return;
    if (buffer[0] === COLLECT) collect();
    await writeAll(connection, buffer.subarray(0, length));
  }
}

const serve = { echo, bulk, pipelined, idle }[handler as StreamHandler];

async function converse(connection: Deno.Conn): Promise<void> {
  try {
    await serve(connection);
  } catch {
    // The peer has reset the connection: there is nobody left to tell.
  } finally {
    connection.close();
  }
}

async function udp(): Promise<void> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port });
  listening();
  const buffer = new Uint8Array(65_536);
  for (;;) {
    const [bytes, from] = await socket.receive(buffer);
    await socket.send(bytes, from);
  }
}

async function tcp(): Promise<void> {
  const listener = Deno.listen({ hostname, port });
  listening();
  for await (const connection of listener) {
    connection.setNoDelay(true);
    converse(connection);
  }
}

async function unix(): Promise<void> {
  const listener = Deno.listen({ transport: "unix", path });
  listening();
  for await (const connection of listener) converse(connection);
}

const servers = { tcp, unix, udp };
await servers[transport as keyof typeof servers]();
