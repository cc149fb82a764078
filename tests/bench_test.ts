/** The load generator of the benchmark counts what a server has seen. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { createServer as createHttp } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { after, describe, test } from "node:test";
import { Client, unable } from "../bench/client.ts";
import { compiles } from "../bench/compiler.ts";
import { command, line, type Shape, type Target } from "../bench/load/traffic.ts";
import { clean } from "../bench/processes.ts";
import { folder } from "./support/folder.ts";
import { Program } from "./support/program.ts";
import type { Scope } from "./support/scope.ts";

const ECHO: Shape = { kind: "echo", sockets: 3, size: 64, depth: 1, rate: 0 };
const MIB = 2 ** 20;
const lackingCompiler = compiles() ? false : "there is no C compiler";

after(clean);

/** What a server has seen. */
interface Seen {
  connections: number;
  bytes: number;
}

async function listen(scope: Scope, server: Server): Promise<Target> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  scope.after(() => server.close());
  return { transport: "tcp", port: (server.address() as AddressInfo).port, path: "" };
}

/** A server that gives back what `answer` makes of what comes. */
async function streamServer(
  scope: Scope,
  answer: (socket: Socket, chunk: Uint8Array) => void = (socket, chunk) => socket.write(chunk),
): Promise<{ target: Target; seen: Seen }> {
  const seen: Seen = { connections: 0, bytes: 0 };
  const target = await listen(
    scope,
    createServer((socket) => {
      seen.connections++;
      socket.on("error", () => {});
      socket.on("data", (chunk: Uint8Array) => {
        seen.bytes += chunk.length;
        answer(socket, chunk);
      });
    }),
  );
  return { target, seen };
}

/** One lap of a load; its connections are gone afterwards. */
async function lap(scope: Scope, target: Target, shape: Shape, ms = 50) {
  const client = new Client();
  scope.after(() => client.stop());
  await client.open("load", target, shape);
  const result = await client.run(["load"], ms, [process.pid]);
  await client.stop();
  return result;
}

describe("the load generator", () => {
  test("its commands are lines that both of them read", () => {
    const open = {
      op: "open",
      name: "a",
      target: { transport: "unixgram", port: 0, path: "/tmp/a b=c" },
      shape: { ...ECHO, rate: 2.5 },
    } as const;
    assert.deepEqual(command(line(open)), open);
    const run = { op: "run", ms: 30, pids: [1, 2], names: ["a", "b"] } as const;
    assert.deepEqual(command(line(run)), run);
    assert.deepEqual(command(line({ op: "close", name: "a" })), { op: "close", name: "a" });
  });

  test("echo: as many messages as the server got bytes for", async (t) => {
    const { target, seen } = await streamServer(t);
    const { loads: [load], ms, cpu } = await lap(t, target, { ...ECHO, depth: 5 });
    assert.equal(load!.messages * ECHO.size, seen.bytes);
    assert.equal(load!.messages % 5, 0);
    assert.equal(seen.connections, ECHO.sockets);
    assert.ok(ms >= 50);
    assert.ok(cpu > 0);
  });

  test("a connection for each message: as many as the server accepted", async (t) => {
    const { target, seen } = await streamServer(t);
    const { loads: [load] } = await lap(t, target, { ...ECHO, kind: "connect" });
    assert.equal(load!.messages, seen.connections);
    assert.equal(load!.messages * ECHO.size, seen.bytes);
  });

  test("UDP: as many as the server got", async (t) => {
    const socket = createSocket("udp4");
    let count = 0;
    socket.on("message", (bytes, from) => {
      count++;
      socket.send(bytes, from.port, from.address);
    });
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    t.after(() => socket.close());
    const target = { transport: "udp", port: socket.address().port, path: "" } as const;
    const { loads: [load] } = await lap(t, target, { ...ECHO, depth: 4 });
    assert.equal(load!.messages, count);
  });

  test("an answer that is too long, and a server that hangs up, are errors", async (t) => {
    const wordy = await streamServer(t, (socket, chunk) => {
      socket.write(chunk);
      socket.write("!");
    });
    await assert.rejects(lap(t, wordy.target, ECHO), /more than were sent/);
    const rude = await streamServer(t, (socket) => socket.end());
    await assert.rejects(lap(t, rude.target, ECHO), /closed a connection/);
  });

  test("what only the one in C can do is said where there is none", () => {
    assert.equal(unable("tcp", [ECHO]), undefined);
    const other = unable("http", [{ ...ECHO, kind: "http" }]);
    assert.equal(other === undefined, compiles());
  });
});

describe("the load generator in C", { skip: lackingCompiler }, () => {
  test("times each answer", async (t) => {
    const { target } = await streamServer(t);
    const { loads: [load] } = await lap(t, target, ECHO);
    const { p50, p99, max } = load!;
    assert.ok(p50! > 0 && p50! <= p99! && p99! <= max!, `${p50} ${p99} ${max}`);
  });

  test("bulk: every byte that was sent comes back, and is counted", async (t) => {
    const seen: Seen = { connections: 0, bytes: 0 };
    const target = await listen(
      t,
      createServer((socket) => {
        socket.on("error", () => {});
        socket.on("data", (chunk: Uint8Array) => seen.bytes += chunk.length);
        socket.pipe(socket);
      }),
    );
    const shape = { ...ECHO, kind: "bulk", size: 65_536 } as const;
    const { loads: [load] } = await lap(t, target, shape);
    assert.ok(seen.bytes > 0);
    // Six digits are printed.
    assert.ok(Math.abs(load!.messages * MIB / seen.bytes - 1) < 1e-5, `${load!.messages}`);
  });

  test("HTTP: as many as were asked, with a length or in chunks", async (t) => {
    let count = 0;
    const server = createHttp((_, response) => {
      const inChunks = count++ % 2 === 1;
      response.writeHead(200, inChunks ? {} : { "Content-Length": 5 });
      if (inChunks) response.write("hel");
      response.end(inChunks ? "lo" : "hello");
    });
    const target = await listen(t, server);
    const { loads: [load] } = await lap(t, target, { ...ECHO, kind: "http" });
    assert.equal(load!.messages, count);
    assert.ok(count > 0);
  });

  test("HTTP: another status than 200 is an error", async (t) => {
    const target = await listen(t, createHttp((_, response) => response.writeHead(503).end()));
    await assert.rejects(lap(t, target, { ...ECHO, kind: "http" }), /HTTP\/1\.1 503/);
  });

  test("a fixed rate is kept, though a slow server is late for it", async (t) => {
    const { target } = await streamServer(t, (socket, chunk) => {
      setTimeout(() => socket.write(chunk), 30);
    });
    const shape = { ...ECHO, sockets: 1, rate: 100 };
    const { loads: [load] } = await lap(t, target, shape, 300);
    // One answer in 30 ms where one in 10 was due: the last of them waits longest.
    assert.ok(load!.messages >= 2 && load!.messages <= 10, `${load!.messages}`);
    assert.ok(load!.max! > 60_000, `${load!.max}`);
  });

  test("two loads at once are counted each for itself", async (t) => {
    const { target, seen } = await streamServer(t);
    const client = new Client();
    t.after(() => client.stop());
    await client.open("ping", target, { ...ECHO, sockets: 1 });
    await client.open("others", target, { ...ECHO, sockets: 4, size: 4096 });
    const { loads } = await client.run(["ping", "others"], 50, [process.pid]);
    const [ping, others] = loads.map(({ messages }) => messages);
    assert.equal(ping! * 64 + others! * 4096, seen.bytes);
    assert.ok(ping! > 0 && others! > 0);
    await client.close("ping");
    await assert.rejects(client.run(["ping"], 1, [process.pid]), /ping is not open/);
  });

  test("Unix datagrams: the echo server in C is counted rightly, and no socket is left behind", async (t) => {
    const { program } = await import("../bench/compiler.ts");
    const { readdirSync } = await import("node:fs");
    const home = folder(t, {});
    const path = join(home, "echo.sock");
    const server = new Program(t, home, program("echo"), "unixgram", path);
    await server.says("listening");
    const target = { transport: "unixgram", port: 0, path } as const;
    const client = new Client();
    t.after(() => client.stop());
    await client.open("load", target, { ...ECHO, sockets: 8 });
    const { loads: [load] } = await client.run(["load"], 50, [process.pid]);
    assert.ok(load!.messages >= 8);
    await client.close("load");
    assert.deepEqual(readdirSync(home), ["echo.sock"]);
  });
});
