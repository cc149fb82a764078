/** examples/syslog: the server, talked to by logger of util-linux and by the service beside it. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "../../examples/syslog/parse.ts";
import { syslogFrames } from "../../examples/syslog/framing.ts";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import { lackingTransport } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { dial, openUdp } from "../support/peers.ts";
import { lackingPrograms } from "../support/packages.ts";
import { shell } from "../support/program.ts";
import { ServerProcess, startServer } from "../support/server-process.ts";
import { until } from "../support/until.ts";

const EXAMPLE = fileURLToPath(new URL("../../examples/syslog", import.meta.url).href);
const noUnixgram = lackingTransport("unixgram");

/** The example in a folder of its own, with ports that the kernel chooses. */
async function example(
  t: TestContext,
): Promise<{ root: string; home: string; server: ServerProcess }> {
  const root = folder(t, {});
  const home = join(root, "examples/syslog");
  mkdirSync(home, { recursive: true });
  for (const file of readdirSync(EXAMPLE)) {
    if (file.endsWith(".ts")) symlinkSync(join(EXAMPLE, file), join(home, file));
  }
  const head = readFileSync(join(EXAMPLE, "portico.json"), "utf8");
  const freed = head.replace(/127\.0\.0\.1:5514"/g, '127.0.0.1:0"');
  const possible = noUnixgram === false ? freed : freed.replace(/,\s*"unixgram:[^"]*"/, "");
  writeFileSync(join(home, "portico.json"), possible);
  return { root, home, server: await startServer(t, "examples/syslog", { cwd: root }) };
}

const port = (server: ServerProcess, transport: string): number =>
  (parseEndpoint(server.endpoint("syslogd", transport)) as { port: number }).port;

describe("examples/syslog", () => {
  test(
    "examples/syslog takes what logger sends: UDP, TCP in both framings, a Unix socket, both formats",
    {
      skip: lackingPrograms("logger"),
    },
    async (t) => {
      const { root, server } = await example(t);
      const to = (transport: string): string =>
        `--server 127.0.0.1 --port ${port(server, transport)} -t shop`;
      await shell(t, root, `logger ${to("udp")} --udp -p local1.err over UDP`);
      await shell(t, root, `logger ${to("udp")} --udp --rfc3164 old UDP`);
      await shell(t, root, `logger ${to("tcp")} --tcp -p daemon.warning over TCP`);
      await shell(t, root, `logger ${to("tcp")} --tcp --octet-count --id=42 counted é`);
      const log = (text: string, more: object = {}): Promise<Record<string, unknown>> =>
        server.record({ event: "log", service: "syslogd", text, app: "shop", ...more });
      const udp = await log("over UDP", { facility: "local1", severity: 3, level: "error" });
      assert.match(String(udp["sent"]), /^\d{4}-\d\d-\d\dT/);
      assert.ok("timeQuality" in (udp["data"] as object));
      assert.match(String((await log("old UDP"))["sent"]), /^[A-Z][a-z]{2} /);
      await log("over TCP", { facility: "daemon", severity: 4, level: "warn" });
      await log("counted é", { pid: "42", facility: "user", severity: 5 });
      if (noUnixgram === false) {
        await shell(t, root, "logger -u examples/syslog/log.sock -t shop from this machine");
        await log("from this machine", { facility: "user" });
      }
      await shell(t, root, `logger ${to("tcp")} --tcp -p user.debug quiet`);
      const path = join(root, "examples/syslog/messages.log");
      const quiet = (): Record<string, unknown> | undefined =>
        readFileSync(path, "utf8").split("\n").slice(0, -1).map((line) => JSON.parse(line))
          .find((line) => line["text"] === "quiet");
      await until("a debug message in the file", () => quiet() !== undefined);
      assert.equal(quiet()!["level"], "debug");
      await server.stop();
    },
  );

  test("examples/syslog takes garbage, huge messages and messages in pieces, and serves on", async (t) => {
    const { server } = await example(t);
    const tcp = server.endpoint("syslogd", "tcp");
    const udp = await openUdp(t);
    const texts = (): unknown[] => server.all({ event: "log" }).map(({ text }) => text);
    const random = Uint8Array.from({ length: 100_000 }, (_, n) => (n * 7919 + (n >> 3)) & 0xff);
    const whole: (string | Uint8Array)[] = [
      random,
      "A".repeat(200_000),
      "99999999999 <13>counted and huge",
      "5x <13>no number",
      "20 <13>short",
    ];
    for (const bytes of whole) {
      const peer = await dial(t, tcp);
      peer.send(bytes);
      peer.end();
      await peer.over();
    }
    await udp.send(random.subarray(0, 1400), server.endpoint("syslogd", "udp"));
    await udp.send("<13>Oct 11 22:14:15 h t: by datagram\n", server.endpoint("syslogd", "udp"));
    const peer = await dial(t, tcp);
    const message = "<13>Oct 11 22:14:15 h t: in pieces, é";
    const size = new TextEncoder().encode(message).length;
    for (const byte of new TextEncoder().encode(`${size} ${message}<13>then a line\n`)) {
      peer.send(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await server.record({ event: "log", text: "then a line" });
    await server.record({ event: "log", text: "by datagram" });
    peer.end();
    await peer.over();
    assert.ok(texts().includes("in pieces, é"), String(texts().slice(-3)));
    assert.ok(!texts().some((text) => /^(counted and huge|no number|short)/.test(String(text))));
    await server.stop();
  });

  test("examples/syslog/service.json logs to it, with its fields", async (t) => {
    const { home, server } = await example(t);
    const service = readFileSync(join(EXAMPLE, "service.json"), "utf8")
      .replace("127.0.0.1:5514", `127.0.0.1:${port(server, "tcp")}`)
      .replace("127.0.0.1:7079", "127.0.0.1:0");
    writeFileSync(join(home, "service.json"), service);
    const echo = new ServerProcess(join(home, "service.json"));
    t.after(() => echo.kill());
    const listening = await server.record({ app: "echo", id: "listening", facility: "local0" });
    const { endpoint } =
      (listening["data"] as Record<string, Record<string, string>>)["portico@32473"]!;
    const peer = await dial(t, endpoint!);
    await peer.echo("hello");
    peer.end();
    await peer.over();
    const close = await server.record({ app: "echo", id: "close", text: /closed by the peer/ });
    const fields = (close["data"] as Record<string, Record<string, string>>)["portico@32473"]!;
    assert.deepEqual([fields["service"], fields["bytesIn"], fields["bytesOut"]], [
      "echo",
      "5",
      "5",
    ]);
    await echo.stop();
    await server.record({ app: "echo", id: "stop" });
    await server.stop();
  });

  test("examples/syslog: parse reads the examples of RFC 5424 and RFC 3164, and what is neither", () => {
    const of = (text: string): unknown => parse(new TextEncoder().encode(text));
    assert.deepEqual(
      of("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \uFEFF'su root' failed"),
      {
        facility: "auth",
        severity: 2,
        sent: "2003-10-11T22:14:15.003Z",
        host: "mymachine.example.com",
        app: "su",
        id: "ID47",
        text: "'su root' failed",
      },
    );
    assert.deepEqual(
      of(
        '<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 [a@1 x="3" y="\\"\\]\\\\"][b@1] An event',
      ),
      {
        facility: "local4",
        severity: 5,
        sent: "2003-10-11T22:14:15.003Z",
        host: "h",
        app: "evntslog",
        id: "ID47",
        data: { "a@1": { x: "3", y: '"]\\' }, "b@1": {} },
        text: "An event",
      },
    );
    assert.deepEqual(of('<34>1 - - - - - [__proto__ a="b"][c __proto__="d"] x'), {
      facility: "auth",
      severity: 2,
      data: JSON.parse('{ "__proto__": { "a": "b" }, "c": { "__proto__": "d" } }'),
      text: "x",
    });
    assert.deepEqual(of("<34>Oct 11 22:14:15 mymachine su[7]: 'su root' failed\n"), {
      facility: "auth",
      severity: 2,
      sent: "Oct 11 22:14:15",
      host: "mymachine",
      app: "su",
      pid: "7",
      text: "'su root' failed",
    });
    assert.deepEqual(of("Use the BFG!"), { facility: "user", severity: 5, text: "Use the BFG!" });
    assert.deepEqual(of("<999>x"), { facility: "user", severity: 5, text: "<999>x" });
  });

  test("examples/syslog: the framing finds counted messages and lines at every split", () => {
    const stream = new TextEncoder().encode("5 <1>ab<2>cd\n7 <3>\nefg<4>h\0");
    const messages: string[] = [];
    let start = 0;
    for (let end = 0; end <= stream.length; end++) {
      for (;;) {
        const frame = syslogFrames.next(stream.subarray(start, end), 0);
        if (typeof frame === "number") break;
        messages.push(
          new TextDecoder().decode(stream.subarray(start + frame.start, start + frame.end)),
        );
        start += frame.next;
      }
    }
    assert.deepEqual(messages, ["<1>ab", "<2>cd", "<3>\nefg", "<4>h"]);
    assert.throws(() => syslogFrames.next(new TextEncoder().encode("99999999 "), 0), {
      code: "FRAME_TOO_LONG",
    });
  });
});
