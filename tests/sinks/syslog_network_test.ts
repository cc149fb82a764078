/** The syslog sink and what can happen to sockets, names, addresses and certificates on its way. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import type { Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, describe, test, type TestContext } from "node:test";
import { createServer } from "node:tls";
import type { DatagramSocket } from "../../runtime/core/contract.ts";
import { adapter, lackingTransport } from "../support/adapter.ts";
import { certify } from "../support/certificates.ts";
import { folder } from "../support/folder.ts";
import { lackingPrograms } from "../support/packages.ts";
import { freePort } from "../support/ports.ts";
import { until, within } from "../support/until.ts";
import { anyPort, bindUdp, Collector, numberIn, open, record } from "./collector.ts";
import { parse3164, splitAt, splitCounted } from "./parse.ts";

const noDatagrams = lackingTransport("unixgram");
const noIPv6 = Object.values(networkInterfaces()).flat().some((one) => one?.address === "::1")
  ? false
  : "this machine has no ::1";

/** What nobody has caught. */
const rejections: unknown[] = [];
process.on("unhandledRejection", (reason) => void rejections.push(reason));
after(() => assert.deepEqual(rejections, []));

/** The number of each record, by its words. */
const numbers = (messages: readonly Uint8Array[]): number[] =>
  messages.map((bytes) => Number(/ n=(\d+)$/.exec(parse3164(bytes).text)?.[1]));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** A /dev/log of datagrams, until it is closed. */
async function bindUnix(path: string): Promise<{ socket: DatagramSocket; got: Uint8Array[] }> {
  const got: Uint8Array[] = [];
  const socket = await adapter.bind({ transport: "unixgram", path }, {
    datagram: (_, bytes) => void got.push(new Uint8Array(bytes)),
    failure() {},
  }, {});
  return { socket, got };
}

describe("a Unix socket", () => {
  test("of datagrams that comes late, leaves and comes back has every record once, in order", {
    skip: noDatagrams,
  }, async (t) => {
    const path = join(folder(t, {}), "log");
    const warnings: string[] = [];
    const sink = await open(t, { to: `unix:${path}` }, warnings);
    const all: Uint8Array[] = [];
    let n = 0;
    const write = (count: number): void => {
      for (const end = n + count; n < end; n++) sink.write(record(n));
    };
    write(10);
    await until("the first warning", () => warnings.length === 1);
    assert.match(warnings[0]!, /ENOENT/);
    for (let round = 0; round < 3; round++) {
      const { socket, got } = await bindUnix(path);
      await until("what has waited", () => all.length + got.length === n);
      write(10);
      await until("what comes now", () => all.length + got.length === n);
      await socket.close();
      all.push(...got);
      // ECONNREFUSED while there is a file that nobody has, then ENOENT.
      if (round === 1) writeFileSync(path, "");
      write(10);
      await sink.flush!();
      rmSync(path, { force: true });
      write(10);
    }
    const { socket, got } = await bindUnix(path);
    await until("the rest", () => all.length + got.length === n);
    assert.deepEqual(numbers([...all, ...got]), upTo(n));
    assert.equal(sink.dropped!(), 0);
    assert.equal(warnings.length, 1, "it has never been there for long");
    await sink.close!();
    await socket.close();
  });

  test("of streams that is restarted, with its file made anew, loses nothing but what was in flight", async (t) => {
    const path = join(folder(t, {}), "log");
    const sink = await open(t, { to: `unix:${path}` });
    let n = 0;
    const messages: Uint8Array[] = [];
    for (let round = 0; round < 3; round++) {
      const server = await new Collector(t).listen({ path });
      const end = n + 50;
      for (; n < end; n++) sink.write(record(n));
      const read = (): Uint8Array[] => {
        const bytes = server.bytes(server.chunks.length - 1);
        return bytes.at(-1) === 0 ? splitAt(bytes, 0) : [];
      };
      await until("all of a round", () => messages.length + read().length === n);
      messages.push(...read());
      for (const socket of server.sockets) socket.destroy();
      await new Promise((resolve) => server.server.close(resolve));
      rmSync(path, { force: true });
    }
    assert.deepEqual(numbers(messages), upTo(n));
    assert.equal(sink.dropped!(), 0);
  });

  test("of streams whose server dies loses not even what is written before that is known", {
    skip: lackingPrograms("socat", "sh", "grep"),
  }, async (t) => {
    const path = join(folder(t, {}), "log");
    const sink = await open(t, { to: `unix:${path}` });
    const messages: Uint8Array[] = [];
    let n = 0;
    for (let round = 0; round < 3; round++) {
      const words = ["-u", `UNIX-LISTEN:${path}`, "STDOUT"];
      const server = spawn("socat", words, { stdio: ["ignore", "pipe", "inherit"] });
      t.after(() => void server.kill("SIGKILL"));
      const chunks: Uint8Array[] = [];
      server.stdout.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      for (const end = n + 20; n < end; n++) sink.write(record(n));
      const read = (): Uint8Array[] => {
        const bytes = new Uint8Array(Buffer.concat(chunks));
        return bytes.at(-1) === 0 ? splitAt(bytes, 0) : [];
      };
      await until("all of a round", () => messages.length + read().length === n);
      messages.push(...read());
      rmSync(path);
      // What is written in a callback of I/O leaves before anything is read.
      await stat(dirname(path));
      const { pid } = server;
      const dead = `kill -9 ${pid}; while grep -q '^State:.[^Z]' /proc/${pid}/status; do :; done`;
      execFileSync("sh", ["-c", dead], { stdio: ["ignore", "inherit", "ignore"] });
      for (const end = n + 20; n < end; n++) sink.write(record(n));
    }
    const last = await new Collector(t).listen({ path });
    await until("the rest", () => last.bytes(0).at(-1) === 0);
    assert.deepEqual(numbers([...messages, ...splitAt(last.bytes(0), 0)]), upTo(n));
    assert.equal(sink.dropped!(), 0);
  });

  test("that was one of datagrams may come back as one of streams, and the other way round", {
    skip: noDatagrams,
  }, async (t) => {
    const path = join(folder(t, {}), "log");
    const sink = await open(t, { to: `unix:${path}` });
    sink.write(record(0));
    const first = await bindUnix(path);
    await until("a datagram", () => first.got.length === 1);
    await first.socket.close();
    rmSync(path, { force: true });
    const stream = await new Collector(t).listen({ path });
    sink.write(record(1));
    await until("a stream", () => stream.bytes(0).at(-1) === 0);
    stream.sockets[0]!.destroy();
    await new Promise((resolve) => stream.server.close(resolve));
    rmSync(path, { force: true });
    const last = await bindUnix(path);
    sink.write(record(2));
    await until("a datagram again", () => last.got.length === 1);
    assert.deepEqual(numbers([...first.got, ...splitAt(stream.bytes(0), 0), ...last.got]), [
      0,
      1,
      2,
    ]);
    await last.socket.close();
  });

  test("that is a folder or a file is named once, and waited for", async (t) => {
    const path = join(folder(t, {}), "log");
    mkdirSync(path);
    const warnings: string[] = [];
    const sink = await open(t, { to: `unix:${path}` }, warnings);
    sink.write(record(0));
    await until("a warning", () => warnings.length > 0);
    assert.ok(warnings[0]!.startsWith(`the syslog server unix:${path} is out of reach: `));
    renameSync(path, `${path}.old`);
    const server = await new Collector(t).listen({ path });
    await until("the record", () => server.bytes(0).at(-1) === 0);
    assert.deepEqual(numbers(splitAt(server.bytes(0), 0)), [0]);
    assert.equal(warnings.length, 1);
  });
});

describe("an address", () => {
  test("of IPv6 is one as any other, for UDP and TCP", { skip: noIPv6 }, async (t) => {
    const { socket, received } = await bindUdp(0, "::1");
    const server = await new Collector(t).listen({ port: 0, host: "::1" });
    const sinks = [
      await open(t, { to: `udp://[::1]:${socket.address().port}` }),
      await open(t, { to: `tcp://[::1]:${server.port}` }),
    ];
    for (const sink of sinks) {
      for (let n = 0; n < 20; n++) sink.write(record(n));
      await sink.flush!();
      await sink.close!();
    }
    await until("all datagrams", () => received.length === 20);
    await until("the end of the stream", () => server.sockets[0]?.readableEnded === true);
    assert.deepEqual(received.map(numberIn), upTo(20));
    assert.deepEqual(splitCounted(server.bytes(0)).map(numberIn), upTo(20));
    await new Promise<void>((resolve) => socket.close(resolve));
  });

  for (const scheme of ["udp", "tcp", "tls"]) {
    test(`that does not resolve is named once, over ${scheme}, and does not hold up the end`, async (t) => {
      const warnings: string[] = [];
      const sink = await open(t, { to: `${scheme}://no-such-host.invalid:514` }, warnings);
      for (let n = 0; n < 5; n++) sink.write(record(n));
      await until("a warning", () => warnings.length > 0);
      assert.match(
        warnings[0]!,
        new RegExp(
          `^the syslog server ${scheme}://no-such-host\\.invalid:514 is out of reach: .*no-such-host\\.invalid`,
        ),
      );
      await within("the close", sink.close!());
      assert.match(warnings.at(-1)!, /was not there for the last 5 records$/);
      assert.deepEqual([warnings.length, sink.dropped!()], [2, 5]);
    });
  }

  test("that answers nothing, not even a handshake, does not hold up the end", async (t) => {
    const silent = await new Collector(t, false).listen(anyPort);
    const warnings: string[] = [];
    const sink = await open(t, { to: `tls://127.0.0.1:${silent.port}` }, warnings);
    for (let n = 0; n < 5; n++) sink.write(record(n));
    await until("the connection", () => silent.sockets.length === 1);
    await within("the close", sink.close!());
    assert.deepEqual(warnings, [
      `the syslog server tls://127.0.0.1:${silent.port} was not there for the last 5 records`,
    ]);
  });
});

describe("a queue", () => {
  for (const overflow of ["oldest", "newest"] as const) {
    test(`of one keeps one record, and tells how many of the ${overflow} it has lost`, async (t) => {
      const port = await freePort();
      const warnings: string[] = [];
      const options = { to: `tcp://127.0.0.1:${port}`, queue: 1, overflow };
      const sink = await open(t, options, warnings);
      await until("a warning", () => warnings.length > 0);
      assert.match(warnings[0]!, /; up to 1 record wait/);
      for (let n = 0; n < 100; n++) sink.write(record(n));
      assert.equal(sink.dropped!(), 99);
      const server = await new Collector(t).listen({ port, host: "127.0.0.1" });
      await until("the connection", () => server.sockets.length === 1);
      await sink.flush!();
      await sink.close!();
      await until("the end", () => server.sockets[0]!.readableEnded);
      const messages = splitCounted(server.bytes(0));
      const words = messages.map((bytes) => new TextDecoder().decode(bytes));
      const [report, kept] = overflow === "oldest" ? [0, 1] : [1, 0];
      assert.equal(words.length, 2);
      assert.match(words[report]!, / lost="99"\] SINK_FAILED: 99 records were lost: /);
      assert.equal(numberIn(messages[kept]!), overflow === "oldest" ? 99 : 0);
    });
  }

  test("whose bytes are less than one record takes none, counts them, and says so", async (t) => {
    const server = await new Collector(t).listen(anyPort);
    const sink = await open(t, { to: `tcp://127.0.0.1:${server.port}`, queueBytes: 1 });
    for (let n = 0; n < 10; n++) sink.write(record(n));
    assert.equal(sink.dropped!(), 10);
    await until("the report", () => server.bytes(0).length > 0);
    await sink.close!();
    await until("the end", () => server.sockets[0]!.readableEnded);
    const told = splitCounted(server.bytes(0)).map((bytes) =>
      Number(/ lost="(\d+)"/.exec(new TextDecoder().decode(bytes))?.[1])
    );
    assert.equal(told.reduce((sum, lost) => sum + lost, 0), 10);
  });
});

describe("TLS", { skip: lackingPrograms("openssl") }, () => {
  /** A server with one of the certificates, and what reaches it. */
  async function serve(t: TestContext, home: string, name: string) {
    const read = (file: string): string => readFileSync(join(home, file), "utf8");
    const chunks: Uint8Array[] = [];
    const sockets: Socket[] = [];
    const server = createServer({ cert: read(`${name}.pem`), key: read(`${name}.key`) });
    server.on("secureConnection", (socket) => {
      sockets.push(socket);
      socket.on("error", () => {});
      socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    });
    server.on("tlsClientError", () => {});
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const { port } = server.address() as { port: number };
    return { port, bytes: () => new Uint8Array(Buffer.concat(chunks)) };
  }

  const cases: [string, string, Record<string, unknown>, RegExp | undefined][] = [
    ["whose authority is ours gets all", "server", {}, undefined],
    [
      "that another authority has signed gets nothing",
      "server",
      { ca: "other.pem" },
      /issuer|self.signed|UnknownIssuer|certificate/i,
    ],
    [
      "with another name gets nothing",
      "server",
      { serverName: "else.example" },
      /else\.example|altnames|NotValidForName/i,
    ],
    ["whose certificate has expired gets nothing", "expired", {}, /expired/i],
    ["whom nobody asks who it is gets all", "expired", {
      ca: "other.pem",
      rejectUnauthorized: false,
    }, undefined],
  ];
  for (const [name, certificate, more, why] of cases) {
    test(`a server of TLS ${name}`, async (t) => {
      const home = folder(t, {});
      certify(home);
      const server = await serve(t, home, certificate);
      const { ca = "ca.pem", ...rest } = more;
      const tls = { ca: join(home, String(ca)), ...rest };
      const warnings: string[] = [];
      const sink = await open(t, { to: `tls://127.0.0.1:${server.port}`, tls }, warnings);
      for (let n = 0; n < 10; n++) sink.write(record(n));
      if (why === undefined) {
        await until("the records", () => server.bytes().length > 0);
        await sink.close!();
        assert.deepEqual(splitCounted(server.bytes()).map(numberIn), upTo(10));
        assert.deepEqual(warnings, []);
      } else {
        await until("a warning", () => warnings.length > 0);
        assert.match(warnings[0]!, why);
        await sink.close!();
        assert.equal(sink.dropped!(), 10);
        assert.equal(server.bytes().length, 0);
      }
    });
  }
});
