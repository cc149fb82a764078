/** Chunks of the pull form that are lent: the same memory again, and nothing that was written of it is lost. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { describe, test } from "node:test";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import { keep } from "../../runtime/core/keep.ts";
import { definePlugin, type Plugin, type Session } from "../../runtime/core/plugin.ts";
import { adapter } from "../support/adapter.ts";
import { certificates } from "../support/certificates.ts";
import { type InProcessServer, startHooks } from "../support/in-process.ts";
import { tcpServer } from "../support/outgoing.ts";
import type { Scope } from "../support/scope.ts";
import { until } from "../support/until.ts";

const SIZE = 16 * 1024;

type Connect = (endpoint: string) => Promise<Session>;

/** A service whose chunks are lent, unless it keeps them. */
function start(
  scope: Scope,
  handle: (session: Session, connect: Connect) => Promise<void>,
  keepsChunks = false,
  service: Readonly<Record<string, unknown>> = {},
): Promise<InProcessServer> {
  const plugin = definePlugin({
    name: "lent",
    transports: ["stream"],
    keepsChunks,
    start: ({ connect }) => ({
      handle: (session) => handle(session as Session, connect as Connect),
    }),
  });
  return startHooks(scope, plugin as unknown as Plugin<never, never>, service);
}

function dial(scope: Scope, server: InProcessServer): Socket {
  const { host, port } = parseEndpoint(server.endpoint()) as { host: string; port: number };
  const socket = connect({ host, port, allowHalfOpen: true });
  scope.after(() => void socket.destroy());
  return socket;
}

/** Bytes of which each place has its own: the `number`th part of a long text. */
function part(number: number, length = SIZE): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = (number * 31 + at * 7 + (at >> 8)) & 255;
  return bytes;
}

/** Reads from now on. @returns the next `length` bytes, when they have come. */
function reader(socket: Socket): (length: number) => Promise<Buffer> {
  let got: Buffer[] = [];
  let size = 0;
  socket.on("data", (chunk: Buffer) => {
    got.push(chunk);
    size += chunk.length;
  }).resume();
  return async (length) => {
    await until(() => `${length} bytes; ${size} have come`, () => size >= length);
    const all = Buffer.concat(got);
    got = [all.subarray(length)];
    size -= length;
    return all.subarray(0, length);
  };
}

function assertParts(got: Buffer, count: number): void {
  for (let number = 0; number < count; number++) {
    const at = number * SIZE;
    assert.ok(got.subarray(at, at + SIZE).equals(part(number)), `part ${number}`);
  }
}

test("a small chunk whose memory was transferred takes none of those that follow along", () => {
  for (let number = 0; number < 40; number++) {
    const copy = keep(part(number, 500));
    structuredClone(copy, { transfer: [copy.buffer] });
    assert.deepEqual(keep(part(number, 500)), part(number, 500));
  }
});

describe("a chunk that is lent", () => {
  const lends = adapter.features.lends !== "never";

  for (const keepsChunks of [false, true]) {
    const what = keepsChunks ? "a plugin that keeps them has" : "the next one comes in the same";
    const skip = !keepsChunks && !lends && "each chunk of this runtime has memory of its own";
    test(`memory: ${what}`, { skip }, async (t) => {
      const seen: { readonly chunk: Uint8Array; readonly first: number }[] = [];
      const server = await start(t, async (session) => {
        for await (const chunk of session) {
          seen.push({ chunk, first: chunk[0]! });
          await session.send(chunk);
        }
      }, keepsChunks);
      const client = dial(t, server);
      const read = reader(client);
      for (let number = 0; number < 20; number++) {
        client.write(part(number));
        assert.deepEqual(await read(SIZE), Buffer.from(part(number)));
      }
      const buffers = new Set(seen.map(({ chunk }) => chunk.buffer));
      if (!keepsChunks) return assert.ok(buffers.size < seen.length / 2, `${buffers.size} buffers`);
      assert.ok(seen.every(({ chunk, first }) => chunk[0] === first));
    });
  }

  test("is sent whole to who reads late, though the next one is asked for at once", async (t) => {
    const server = await start(t, async (session) => {
      for await (const chunk of session) session.write(chunk);
    });
    const client = dial(t, server);
    const COUNT = 1000;
    for (let number = 0; number < COUNT; number++) client.write(part(number));
    await until("a backlog", () => server.all("open").length === 1 && client.writableLength > 0);
    assertParts(await reader(client)(COUNT * SIZE), COUNT);
  });

  test("is sent whole to two others, the one of which reads late", async (t) => {
    const COUNT = 400;
    const peers: Socket[] = [];
    const to = await tcpServer(t, (socket) => void peers.push(socket.pause()));
    const server = await start(t, async (session, connect) => {
      const others = [await connect(to), await connect(to)];
      session.write("+");
      for await (const chunk of session) {
        for (const other of others) other.write(chunk);
        // It reads on however large the backlog of the others is.
        session.write("x");
      }
      for (const other of others) other.end();
    });
    const client = dial(t, server);
    const read = reader(client);
    assert.equal(String(await read(1)), "+");
    await until("both are there", () => peers.length === 2);
    const early = reader(peers[0]!)(COUNT * SIZE);
    for (let number = 0; number < COUNT; number++) {
      // One by one: the handler waits for each.
      client.write(part(number));
      await read(1);
    }
    assertParts(await early, COUNT);
    assertParts(await reader(peers[1]!)(COUNT * SIZE), COUNT);
  });

  test("is sent whole in clear to who reads late, though TLS is begun behind it", async (t) => {
    const COUNT = 400;
    const peers: Socket[] = [];
    const to = await tcpServer(t, (socket) => void peers.push(socket.pause()));
    const server = await start(t, async (session, connect) => {
      const other = await connect(to);
      session.write("+");
      let left = COUNT * SIZE;
      for await (const chunk of session) {
        if (left > 0) other.write(chunk);
        left -= chunk.length;
        if (left === 0) other.startTls().catch(() => {});
        session.write("x".repeat(chunk.length));
      }
      other.abort();
    });
    const client = dial(t, server);
    const read = reader(client);
    assert.equal(String(await read(1)), "+");
    for (let number = 0; number < 2 * COUNT; number++) {
      client.write(part(number));
      await read(SIZE);
    }
    await until("the other", () => peers.length === 1);
    assertParts(await reader(peers[0]!)(COUNT * SIZE), COUNT);
    client.destroy();
  });

  test("is sent whole in clear to who was looked at first, though TLS is begun behind it", async (t) => {
    const COUNT = 400;
    const certificate = certificates();
    const tls = { cert: certificate.file("server"), key: certificate.file("server", "key") };
    // Whoever comes is waited for, as it may be a balancer.
    const proxyProtocol = { from: ["127.0.0.1"], mode: "accept" };
    let late: Session | undefined;
    const server = await start(
      t,
      async (session) => {
        let left = COUNT * SIZE;
        for await (const chunk of session) {
          if (late === undefined) return void await (late = session).closed;
          if (left > 0) late.write(chunk);
          left -= chunk.length;
          if (left === 0) late.startTls().catch(() => {});
          session.write("x".repeat(chunk.length));
        }
      },
      false,
      { tls, proxyProtocol },
    );
    const peer = dial(t, server).pause();
    peer.write("late");
    await until("who reads late", () => late !== undefined);
    const client = dial(t, server);
    const read = reader(client);
    for (let number = 0; number < 2 * COUNT; number++) {
      client.write(part(number));
      await read(SIZE);
    }
    assertParts(await reader(peer)(COUNT * SIZE), COUNT);
    client.destroy();
    peer.destroy();
  });

  test("may go to another thread: the next one comes in memory of its own", async (t) => {
    const server = await start(t, async (session) => {
      for await (const chunk of session) {
        // Small ones are not lent, and may share their memory with others.
        const transfer = chunk.length > 1024 ? [chunk.buffer] : [];
        await session.send(structuredClone(chunk, { transfer }));
      }
    });
    const client = dial(t, server);
    const read = reader(client);
    for (let number = 0; number < 5; number++) {
      client.write(part(number));
      assert.deepEqual(await read(SIZE), Buffer.from(part(number)));
    }
  });

  test("stays as it is when the loop is left, and while anything else is read", async (t) => {
    const server = await start(t, async (session) => {
      let last: Uint8Array = new Uint8Array();
      let size = 0;
      for await (const chunk of session) {
        last = chunk;
        if ((size += chunk.length) === SIZE) break;
      }
      const copy = Uint8Array.from(last);
      session.write("+");
      const frame = await session.readExactly(SIZE);
      assert.deepEqual(Uint8Array.from(last), copy);
      session.write("+");
      for await (const _ of session) session.write("+");
      assert.deepEqual(Uint8Array.from(frame), part(2));
      session.write("=");
    });
    const client = dial(t, server);
    let answer = "";
    client.on("data", (chunk) => answer += chunk);
    client.write(part(1));
    await until("the first", () => answer.length >= 1);
    client.write(part(2));
    await until("the frame", () => answer.length >= 2);
    for (let number = 3; number < 10; number++) client.write(part(number));
    client.end();
    await until("the end", () => answer.endsWith("="));
    await until("close", () => server.all("close").length === 1);
    assert.deepEqual(server.all("error"), []);
  });
});
