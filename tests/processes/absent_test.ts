/** Servers whose log server is not there, or not what it should be: they serve, say so once, and end in time. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { folder } from "../support/folder.ts";
import { dial } from "../support/peers.ts";
import type { Scope } from "../support/scope.ts";
import { pluginPath, startServer } from "../support/server-process.ts";
import { lackingWorkers } from "../support/strategies.ts";

/** Takes connections and says nothing, reads nothing. */
async function silence(scope: Scope): Promise<number> {
  const sockets: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

/** A session that logs. */
async function session(scope: Scope, endpoint: string): Promise<void> {
  const peer = await dial(scope, endpoint);
  peer.send("log 100\n");
  await peer.when("an answer", () => peer.text.endsWith("\n"));
  peer.end();
  await peer.over();
  peer.leave();
}

const closed = "tcp://127.0.0.1:1";

describe("a log server that is not there", () => {
  const places: Record<string, (scope: Scope, home: string) => string | Promise<string>> = {
    "a Unix socket that is not there": (_, home) => `unix:${join(home, "nobody")}`,
    "a Unix socket's path that is a file": (_, home) => `unix:${join(home, "portico.json")}`,
    "a TCP port that is closed": () => closed,
    "a UDP port that is closed": () => "udp://127.0.0.1:1",
    "a name that does not resolve": () => "tcp://no-such-host.invalid",
    "a TLS server that never answers": async (scope) => `tls://127.0.0.1:${await silence(scope)}`,
    "a TCP server that never reads": async (scope) => `tcp://127.0.0.1:${await silence(scope)}`,
  };
  for (const [name, place] of Object.entries(places)) {
    test(`${name}: sessions are served, it is told once, the end is on time`, async (t) => {
      const home = folder(t, { "portico.json": "" });
      const to = await place(t, home);
      const log = ["json", { type: "syslog", to, queue: 50 }];
      const service = { plugin: pluginPath("probe"), listen: "tcp://127.0.0.1:0", log };
      const options = { form: "commands" };
      const manifest = { control: false, services: { a: { ...service, options } } };
      writeFileSync(join(home, "portico.json"), JSON.stringify(manifest));
      const server = await startServer(t, home);
      const endpoint = server.endpoint("a", "tcp");
      // What waited for that server would wait for ever.
      for (let n = 0; n < 5; n++) await session(t, endpoint);
      await server.stop();
      const told = server.errors.trimEnd().split("\n").filter((line) => line !== "");
      assert.ok(told.length <= 2, server.errors);
      for (const line of told) {
        assert.match(
          line,
          /^portico: the syslog server \S+ (is out of reach: |was not there for the last )/,
        );
      }
    });
  }

  for (const strategy of ["threads", "processes", "spawn"] as const) {
    test(`${strategy}: what workers log waits in one queue, and is dropped from there`, {
      skip: lackingWorkers,
    }, async (t) => {
      const service = {
        plugin: pluginPath("probe"),
        listen: "tcp://127.0.0.1:0",
        options: { form: "commands" },
        concurrency: { strategy },
        log: ["json", { type: "syslog", to: closed, queue: 10 }],
      };
      const home = folder(t, {
        "portico.json": JSON.stringify({ control: false, services: { a: service } }),
      });
      const server = await startServer(t, home);
      for (let n = 0; n < 3; n++) await session(t, server.endpoint("a", "tcp"));
      await server.count(3, { event: "close" });
      await server.stop();
      assert.match(
        server.errors,
        /^portico: the syslog server tcp:\S+ is out of reach: [^\n]*; up to 10 records wait for it\nportico: the syslog server tcp:\S+ was not there for the last 10 records\n$/,
      );
    });
  }
});
