/** What the syslog sink does when the server is late, leaves, is slow, or is a stream. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { Log } from "../../runtime/core/log.ts";
import type { Hooks } from "../../runtime/core/plugin.ts";
import { probeSink } from "../../runtime/sinks/mod.ts";
import { folder } from "../support/folder.ts";
import { adapter } from "../support/adapter.ts";
import { InProcessServer, readyService } from "../support/in-process.ts";
import { dial } from "../support/peers.ts";
import { until, within } from "../support/until.ts";
import { anyPort, bindUdp, Collector, numberIn, open, record } from "./collector.ts";
import { parse3164, splitAt, splitCounted } from "./parse.ts";

test("over UDP nothing is lost while nobody is there, and nobody is told twice", async (t) => {
  const first = await bindUdp(0);
  const { port } = first.socket.address();
  await new Promise<void>((resolve) => first.socket.close(resolve));
  const warnings: string[] = [];
  const sink = await open(t, { to: `udp://127.0.0.1:${port}` }, warnings);
  for (let n = 0; n < 50; n++) sink.write(record(n));
  await until("a warning", () => warnings.length > 0);
  assert.match(
    warnings[0]!,
    /^the syslog server udp:.* is out of reach: .*; up to 10000 records wait/,
  );
  await sink.flush!();
  const { socket, received } = await bindUdp(port);
  await until("all records", () => received.length === 50);
  assert.deepEqual(received.map(numberIn), [...Array(50).keys()]);
  assert.deepEqual([warnings.length, sink.dropped!()], [1, 0]);
  await new Promise<void>((resolve) => socket.close(resolve));
});

/** A UDP port that nobody has. */
async function nobodysPort(): Promise<number> {
  const { socket } = await bindUdp(0);
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}

/** Keeps this thread busy, so that timers and sockets have all become due when it is over. */
function hold(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("over UDP nothing is lost while nobody is there, however late this thread hears of it", async (t) => {
  const port = await nobodysPort();
  const sink = await open(t, { to: `udp://127.0.0.1:${port}` }, []);
  for (let n = 0; n < 50; n++) sink.write(record(n));
  for (let n = 0; n < 5; n++) {
    await turn();
    hold(150);
  }
  const { socket, received } = await bindUdp(port);
  t.after(() => socket.close());
  await until("all records", () => received.length === 50);
  assert.deepEqual(received.map(numberIn), [...Array(50).keys()]);
  assert.equal(sink.dropped!(), 0);
});

test("a record that was sent just after the server of UDP had left is sent to its successor", async (t) => {
  const first = await bindUdp(0);
  const { port } = first.socket.address();
  const warnings: string[] = [];
  const sink = await open(t, { to: `udp://127.0.0.1:${port}` }, warnings);
  for (let n = 0; n < 3; n++) {
    sink.write(record(n));
    await until("it", () => first.received.length === n + 1);
    await sink.flush!();
  }
  await new Promise<void>((resolve) => first.socket.close(resolve));
  for (let n = 3; n < 6; n++) {
    sink.write(record(n));
    await turn();
  }
  await until("a warning", () => warnings.length > 0);
  const { socket, received } = await bindUdp(port);
  t.after(() => socket.close());
  await until("the rest", () => received.length === 3);
  assert.deepEqual(received.map(numberIn), [3, 4, 5]);
  assert.equal(sink.dropped!(), 0);
});

test("a record that nobody was there for is counted at the close", async (t) => {
  const first = await bindUdp(0);
  const { port } = first.socket.address();
  const warnings: string[] = [];
  const sink = await open(t, { to: `udp://127.0.0.1:${port}` }, warnings);
  sink.write(record(0));
  await until("it", () => first.received.length === 1);
  await sink.flush!();
  await new Promise<void>((resolve) => first.socket.close(resolve));
  sink.write(record(1));
  await sink.close!();
  assert.equal(sink.dropped!(), 1);
  assert.match(warnings.at(-1)!, /was not there for the last 1 record$/);
});

/** How many datagrams the kernel has thrown away because the queue of a UDP port was full. */
function droppedAt(port: number): number {
  const bound = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = readFileSync("/proc/net/udp", "utf8").split("\n").map((line) =>
    line.trim().split(/\s+/)
  );
  return Number(lines.find((words) => words[1]?.endsWith(bound))?.at(-1));
}

test(
  "what a handler logs for each line reaches the queue of a UDP server, whole; the kernel counts what that cannot hold",
  {
    skip: !existsSync("/proc/net/udp") && "there is no /proc/net/udp",
  },
  async (t) => {
    const { socket, received } = await bindUdp(0);
    t.after(() => socket.close());
    const { port } = socket.address();
    const sink = await open(t, { to: `udp://127.0.0.1:${port}` });
    const server = new InProcessServer(adapter);
    const log = new Log(
      [{ name: "s", sink, level: "debug" }],
      (_, error) => assert.fail(`${error}`),
    );
    const hooks: Hooks<never> = {
      data(session, bytes) {
        session.log.info(new TextDecoder().decode(bytes));
        session.write(bytes);
      },
    };
    await server.start(t, [readyService(hooks, log, { listen: ["tcp://127.0.0.1:0"] })]);
    const peer = await dial(t, server.endpoint());
    for (let n = 0; n < 300; n++) {
      await peer.echo(`${n}\n`);
      if (n === 100) socket.setRecvBufferSize(1);
      // Others have their turn when this thread has none: what comes meanwhile finds a short queue full.
      if (n > 100 && n % 50 === 0) { for (let m = 0; m < 50; m++) sink.write(record(m)); }
    }
    await sink.flush!();
    // "ready", "open", and the lines.
    await until(
      () => `all of it: ${received.length} have come, ${droppedAt(port)} were dropped`,
      () => received.length + droppedAt(port) === 2 + 300 + 3 * 50,
    );
    assert.equal(sink.dropped!(), 0);
  },
);

test("a Unix socket of streams is found out, and gets NUL after each message", async (t) => {
  const path = join(folder(t, {}), "log");
  const unix = await new Collector(t).listen({ path });
  const sink = await open(t, { to: `unix:${path}` });
  for (let n = 0; n < 500; n++) sink.write(record(n, "two\nlines\0"));
  await sink.flush!();
  await sink.close!();
  await until("the end", () => unix.sockets[0]?.readableEnded === true);
  const messages = splitAt(unix.bytes(0), 0);
  assert.deepEqual(
    messages.map((bytes) => parse3164(bytes).text),
    Array.from({ length: 500 }, (_, n) => `two\\nlines\\x00 n=${n}`),
  );
});

test("a server that ends the connection is sent nothing more on it, and the rest on the next", async (t) => {
  const server = await new Collector(t).listen(anyPort);
  const sink = await open(t, { to: `tcp://127.0.0.1:${server.port}` });
  for (let n = 0; n < 100; n++) sink.write(record(n));
  await until("the first messages", () => splitOr(server.bytes(0)).length === 100);
  // Its end alone: it would still read.
  server.sockets[0]!.end();
  await until("the end", () => server.sockets[0]!.readableEnded || server.sockets[0]!.destroyed);
  for (let n = 100; n < 200; n++) sink.write(record(n));
  await until("the next connection", () => splitOr(server.bytes(1)).length === 100);
  assert.deepEqual(splitCounted(server.bytes(0)).map(numberIn), [...Array(100).keys()]);
  assert.deepEqual(
    splitCounted(server.bytes(1)).map(numberIn),
    Array.from({ length: 100 }, (_, i) => 100 + i),
  );
  assert.equal(sink.dropped!(), 0);
});

/** The messages so far; none while the last one is not whole. */
function splitOr(bytes: Uint8Array): Uint8Array[] {
  try {
    return splitCounted(bytes);
  } catch {
    return [];
  }
}

/** Milliseconds of CPU that this process has used. */
function cpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

test("a server that reads nothing costs bounded memory, no time, and does not hold up the end", async (t) => {
  const server = await new Collector(t, false).listen(anyPort);
  const warnings: string[] = [];
  const sink = await open(t, {
    to: `tcp://127.0.0.1:${server.port}`,
    queue: 1000,
    maxSize: "64KiB",
  }, warnings);
  await until("the connection", () => server.sockets.length === 1);
  const text = "y".repeat(10_000);
  let longest = 0;
  for (let n = 0; n < 3000; n++) {
    sink.write(record(n, text));
    if (n % 20 !== 19) continue;
    const before = cpu();
    await new Promise((resolve) => setImmediate(resolve));
    longest = Math.max(longest, cpu() - before);
  }
  await until("drops", () => sink.dropped!() > 0);
  assert.ok(longest < 500, `a turn took ${longest} ms of CPU`);
  const dropped = sink.dropped!();
  await within("the close", sink.close!());
  assert.ok(sink.dropped!() > dropped, "what is left counts as dropped");
  assert.match(warnings.at(-1)!, /was not there for the last \d+ records$/);
});

test("a sink without a server closes at once, and says what it could not deliver", async (t) => {
  const warnings: string[] = [];
  const path = join(folder(t, {}), "nobody");
  const sink = await open(t, { to: `unix:${path}` }, warnings);
  for (let n = 0; n < 3; n++) sink.write(record(n));
  await until("a warning", () => warnings.length === 1);
  await within("the close", sink.close!());
  assert.equal(warnings[1], `the syslog server unix:${path} was not there for the last 3 records`);
  assert.equal(sink.dropped!(), 3);
  sink.write(record(4));
  assert.equal(sink.dropped!(), 3, "nothing is taken after the close");
});

test("what no server can mend stops the start: a file that is missing or is no certificate, a path too long", async (t) => {
  const home = folder(t, { "not.pem": "hello\n" });
  const tls = (ca: string) => ({ to: "tls://127.0.0.1:1", tls: { ca } });
  await assert.rejects(open(t, tls(join(home, "no.pem"))), {
    code: "ENOENT",
    side: "config",
    message: /^cannot read .*no\.pem, the tls\.ca of a syslog sink: /,
  });
  await assert.rejects(open(t, tls(join(home, "not.pem"))), { message: /is not PEM/ });
  await assert.rejects(open(t, { to: `unix:/${"x".repeat(120)}` }), /at most 107 bytes/);
  const found = probeSink({ type: "syslog", options: tls(join(home, "no.pem")) });
  assert.ok(found !== true && /ENOENT/.test(found.reason));
  const long = { type: "syslog", options: { to: `unix:/${"x".repeat(120)}` } };
  assert.throws(() => probeSink(long), /at most 107 bytes/);
  const socket = probeSink({ type: "syslog", options: { to: `unix:${home}/not.pem` } });
  assert.ok(socket !== true && /is no socket/.test(socket.reason));
});
