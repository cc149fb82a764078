/** Servers that start at the same moment on the Unix sockets of one that was killed. */
import assert from "node:assert/strict";
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { text } from "../conformance/harness.ts";
import { ask } from "../../runtime/control/client.ts";
import { adapter, lackingTransport } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { askOnce, openDatagrams } from "../support/peers.ts";
import { manifest, ServerProcess } from "../support/server-process.ts";
import { lackingStrategy } from "../support/strategies.ts";

const ROUNDS = 10;

/** Without a socket of this kind, one of another kind is the first that they meet. */
const SETS = {
  "a control socket, streams and datagrams": { control: true, listen: ["unix", "unixgram"] },
  "datagrams first": { control: false, listen: ["unixgram", "unix"] },
  "streams first, of workers": { control: false, listen: ["unix"], concurrency: "processes" },
} as const;

for (const [name, set] of Object.entries(SETS)) {
  const strategy = "concurrency" in set ? set.concurrency : "async";
  const lacking = set.listen.map((transport) => lackingTransport(transport)).find(Boolean);
  test(`of two servers that start at once on stale files, one serves: ${name}`, {
    skip: lacking || lackingStrategy(strategy),
    timeout: 240_000,
  }, async (t) => {
    const listen = set.listen.map((transport) => `${transport}:./${transport}`);
    const services = { one: { plugin: "echo", listen, concurrency: strategy } };
    const home = folder(t, {
      "portico.json": JSON.stringify({
        ...JSON.parse(manifest(services)),
        control: set.control ? "unix:./control" : false,
      }),
    });
    const files = [...set.listen, ...set.control ? ["control"] : []];
    const sender = set.listen.some((transport) => transport === "unixgram")
      ? await openDatagrams(t, "unixgram")
      : undefined;
    for (let round = 0; round <= ROUNDS; round++) {
      // The first one leaves its files to two others, and so on.
      const servers = Array.from({ length: round === 0 ? 1 : 2 }, () => new ServerProcess(home));
      for (const server of servers) t.after(() => server.kill());
      await Promise.all(
        servers.map((server) =>
          server.when(
            "its start or end",
            () => server.all({ event: "ready" }).length > 0 || server.code !== undefined,
          )
        ),
      );
      const said = servers.map(({ code, errors }) => `${code} ${errors}`).join("\n");
      const [server, ...others] = servers.filter(({ code }) => code === undefined);
      assert.ok(server !== undefined && others.length === 0, `round ${round}: ${said}`);
      for (const loser of servers.filter((other) => other !== server)) {
        assert.equal(loser.code, 1);
        assert.match(loser.errors, /another (process listens there|server with this manifest)/);
      }
      for (const file of files) assert.ok(lstatSync(join(home, file)).isSocket(), file);
      assert.equal(await askOnce(t, `unix:${join(home, "unix")}`, "hello"), "hello");
      if (sender !== undefined) {
        const answer = await sender.ask("hello", `unixgram:${join(home, "unixgram")}`);
        assert.equal(text(answer), "hello");
      }
      if (set.control) {
        const status = await ask(adapter, join(home, "control"), { command: "status" });
        assert.equal((status as { pid: number }).pid, server.pid);
      }
      if (round < ROUNDS) {
        server.signal("SIGKILL");
        await server.ended();
      } else await server.stop();
    }
    assert.deepEqual(readdirSync(home), ["portico.json"]);
  });
}
