/** What the syslog sink does when the server is late, leaves, is slow, or is a stream. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { probeSink } from "../../runtime/sinks/mod.ts";
import { folder } from "../support/folder.ts";
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
    const before = performance.now();
    await new Promise((resolve) => setImmediate(resolve));
    longest = Math.max(longest, performance.now() - before);
  }
  await until("drops", () => sink.dropped!() > 0);
  assert.ok(longest < 500, `a turn took ${longest} ms`);
  const dropped = sink.dropped!();
  const began = performance.now();
  await within("the close", sink.close!());
  assert.ok(performance.now() - began < 2500, "it is bounded");
  assert.ok(sink.dropped!() > dropped, "what is left counts as dropped");
  assert.match(warnings.at(-1)!, /was not there for the last \d+ records$/);
});

test("a sink without a server closes at once, and says what it could not deliver", async (t) => {
  const warnings: string[] = [];
  const path = join(folder(t, {}), "nobody");
  const sink = await open(t, { to: `unix:${path}` }, warnings);
  for (let n = 0; n < 3; n++) sink.write(record(n));
  await until("a warning", () => warnings.length === 1);
  const began = performance.now();
  await sink.close!();
  assert.ok(performance.now() - began < 1000);
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
  await assert.rejects(open(t, { to: `unix:/${"x".repeat(120)}` }), { code: "ENAMETOOLONG" });
  const found = probeSink({ type: "syslog", options: tls(join(home, "no.pem")) });
  assert.ok(found !== true && /ENOENT/.test(found.reason));
  const long = probeSink({ type: "syslog", options: { to: `unix:/${"x".repeat(120)}` } });
  assert.match(long === true ? "" : long.reason, /has 121 bytes, and the kernel takes 107/);
  const socket = probeSink({ type: "syslog", options: { to: `unix:${home}/not.pem` } });
  assert.ok(socket !== true && /is no socket/.test(socket.reason));
});
