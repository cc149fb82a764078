/** TLS on sockets that systemd, or a launcher like it, has opened. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { copyFileSync } from "node:fs";
import { connect as connectClear } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { lackingFeature } from "../support/adapter.ts";
import { certificates } from "../support/certificates.ts";
import { echoManifest } from "../support/echo.ts";
import { folder } from "../support/folder.ts";
import { systemdNames, withSockets } from "../support/launcher.ts";
import { lackingPrograms } from "../support/packages.ts";
import { freePort } from "../support/ports.ts";
import type { Scope } from "../support/scope.ts";
import { failToStart, ServerProcess, startServer } from "../support/server-process.ts";
import { lackingStrategy, SAMPLE } from "../support/strategies.ts";
import { until, within } from "../support/until.ts";

const skip = lackingFeature("descriptors") || lackingPrograms("python3");
const made = certificates();
const PAIR = { cert: "./s.pem", key: "./s.key" };

function certified(home: string, name: "server" | "a"): void {
  for (const end of ["pem", "key"] as const) {
    copyFileSync(made.file(name, end), join(home, `s.${end}`));
  }
}

/** Connects by TLS; it is sent back what it says. @returns the name in the server's certificate. */
async function echoes(
  t: Scope,
  place: { port: number } | { path: string },
  servername = "logs.example",
): Promise<string> {
  const clear = "path" in place ? connectClear(place.path) : connectClear(place.port, "127.0.0.1");
  const socket: TLSSocket = connect({ socket: clear, ca: made.cert("ca"), servername });
  t.after(() => void socket.destroy());
  socket.write("hello");
  const [answer] = await within("an answer", once(socket, "data"));
  assert.equal(String(answer), "hello");
  const { CN } = socket.getPeerCertificate().subject;
  socket.end();
  socket.resume();
  await within("the end", once(socket, "close"));
  return String(CN);
}

const portOf = (endpoint: string): number => Number(endpoint.split(":").at(-1));

describe("systemd:NAME and fd:N with TLS", () => {
  for (const name of SAMPLE) {
    test(`TLS beside clear, TCP and Unix, ${name}`, {
      skip: skip || lackingStrategy(name),
    }, async (t) => {
      const home = folder(
        t,
        echoManifest({
          listen: [
            { endpoint: "systemd:secure", tls: true },
            { endpoint: "fd:5", tls: { ...PAIR, minVersion: "TLSv1.3" } },
            "systemd:clear",
          ],
          tls: PAIR,
          concurrency: name,
        }),
      );
      certified(home, "server");
      const path = join(home, "a.sock");
      const server = await startServer(t, home, {
        through: withSockets({
          sockets: [["tcp"], ["unix", path], ["tcp"], ["tcp"]],
          env: systemdNames("secure", "secure", "other", "clear"),
        }),
      });
      const endpoints = server.records.filter(({ event }) => event === "listening").map((each) =>
        String(each["endpoint"])
      );
      assert.deepEqual(endpoints.map((each) => each.replace(/\d+$/, "N")), [
        "tcp://127.0.0.1:N",
        `unix:${path}`,
        "tcp://127.0.0.1:N",
        "tcp://127.0.0.1:N",
      ]);
      assert.equal(await echoes(t, { port: portOf(endpoints[0]!) }), "server");
      assert.equal(await echoes(t, { path }), "server");
      assert.equal(await echoes(t, { port: portOf(endpoints[2]!) }), "server");
      const clear = connectClear(portOf(endpoints[3]!), "127.0.0.1");
      t.after(() => void clear.destroy());
      clear.write("hello");
      assert.equal(String((await within("an answer", once(clear, "data")))[0]), "hello");
      clear.destroy();
      await server.stop();
    });
  }

  test("a certificate is read anew, and the socket stays", { skip }, async (t) => {
    const home = folder(
      t,
      echoManifest({ listen: { endpoint: "systemd:secure", tls: PAIR } }),
    );
    certified(home, "server");
    const server = await startServer(t, home, {
      through: withSockets({ sockets: [["tcp"]], env: systemdNames("secure") }),
    });
    const port = portOf(server.endpoint("echo", "tcp"));
    assert.equal(await echoes(t, { port }), "server");
    certified(home, "a");
    server.signal("SIGHUP");
    const { fingerprint256 } = new X509Certificate(made.cert("a"));
    const fingerprint = fingerprint256.replaceAll(":", "").toLowerCase();
    await server.record({ event: "log", fingerprint });
    assert.equal(await echoes(t, { port }, "a.example"), "a");
    await server.stop();
  });

  test("TLS on a datagram socket is refused", { skip }, async (t) => {
    const home = folder(
      t,
      echoManifest({ listen: { endpoint: "systemd:grams", tls: "self-signed" } }),
    );
    const start = withSockets({ sockets: [["udp"]], env: systemdNames("grams") });
    const { block } = await failToStart(t, home, start);
    assert.match(block, /systemd:grams is a datagram socket; TLS is spoken on streams only/);
  });

  test("by systemd-socket-activate, when somebody comes", {
    skip: skip || lackingPrograms("systemd-socket-activate"),
  }, async (t) => {
    const home = folder(t, echoManifest({ listen: { endpoint: "systemd:secure", tls: PAIR } }));
    certified(home, "server");
    const port = await freePort();
    const server = new ServerProcess(home, {
      through: ["systemd-socket-activate", "-l", `127.0.0.1:${port}`, "--fdname=secure"],
    });
    t.after(() => server.kill());
    await until(() => `it to listen: ${server.errors}`, () => server.errors.includes("Listening"));
    assert.equal(await echoes(t, { port }), "server");
    await server.stop();
  });
});
