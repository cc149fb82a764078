/** Services that answer everybody do not talk to each other for ever. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { describe, test } from "node:test";
import { lackingFeature } from "./support/adapter.ts";
import { forge, lackingForgery } from "./support/forge.ts";
import { type InProcessServer, startManifest } from "./support/in-process.ts";
import { expand, prepare } from "./support/manifest.ts";
import { openUdp } from "./support/peers.ts";
import type { Scope } from "./support/scope.ts";
import { lackingStrategy, SAMPLE } from "./support/strategies.ts";
import { until, within } from "./support/until.ts";

const portOf = (endpoint: string): number => Number(endpoint.split(":").at(-1));

/** Sends from an address and port that were chosen. */
async function sendFrom(
  scope: Scope,
  [host, port]: readonly [string, number],
  to: number,
  text: string,
): Promise<void> {
  const socket = createSocket("udp4");
  scope.after(() => new Promise<void>((resolve) => socket.close(() => resolve())));
  socket.bind(port, host);
  await within("a port", once(socket, "listening"));
  socket.send(text, to, "127.0.0.1");
}

const loops = (server: InProcessServer, service: string): number =>
  server.status(service).tally.refused["loop"] ?? 0;

for (const strategy of SAMPLE) {
  describe(strategy, { skip: lackingStrategy(strategy) }, () => {
    test("what seems to come from a socket of this server is refused: rule loop", async (t) => {
      const service = (listen: string): object => ({
        plugin: "echo",
        listen,
        concurrency: strategy,
      });
      const server = await startManifest(t, {
        all: service("udp://0.0.0.0:0"),
        one: service("udp://127.0.0.1:0"),
      });
      const [all, one] = ["all", "one"].map((name) => portOf(server.endpoint(name))) as [
        number,
        number,
      ];
      // An address of this machine with the port of a service: its own, and another one's.
      await sendFrom(t, ["127.0.0.9", one], one, "echo");
      await sendFrom(t, ["127.0.0.8", one], all, "echo");
      await server.count(2, { event: "refuse", rule: "loop" });
      assert.equal(loops(server, "one"), 1);
      assert.equal(loops(server, "all"), 1);
      const client = await openUdp(t);
      for (const port of [all, one]) {
        const answer = await client.ask("hello", `udp://127.0.0.1:${port}`);
        assert.equal(new TextDecoder().decode(answer), "hello");
      }
    });

    test(
      "one forged datagram comes to nothing: from the socket itself, and from another service's",
      { skip: lackingForgery() || lackingFeature("packetInfo") },
      async (t) => {
        const server = await startManifest(t, {
          all: { plugin: "echo", listen: "udp://0.0.0.0:0", concurrency: strategy },
          more: { plugin: "chargen", listen: "udp://*:0", concurrency: strategy },
        });
        const [all, more] = ["all", "more"].map((name) => portOf(server.endpoint(name))) as [
          number,
          number,
        ];
        forge(["127.0.0.1", all], ["127.0.0.1", all], "echo");
        forge(["127.0.0.7", more], ["127.0.0.1", all], "echo");
        forge(["127.0.0.7", all], ["127.0.0.5", more], "echo");
        await until(
          "the refusals",
          () => loops(server, "all") === 2 && loops(server, "more") === 1,
        );
        assert.equal(server.status("all").datagramsOut, 0);
        assert.equal(server.status("more").datagramsOut, 0);
      },
    );

    test("limits.datagramRate holds for each address by itself", async (t) => {
      const server = await startManifest(t, {
        echo: {
          plugin: "echo",
          listen: "udp://127.0.0.1:0",
          concurrency: strategy,
          limits: { datagramRate: "5/h" },
        },
      });
      const port = portOf(server.endpoint("echo"));
      const client = await openUdp(t);
      for (let i = 0; i < 8; i++) client.send(`${i}`, `udp://127.0.0.1:${port}`);
      await until("the answers", () => client.received.length === 5);
      await until("the refusals", () => server.all("refuse").length === 3);
      assert.ok(server.all("refuse").every(({ limit }) => limit === "datagramRate"));
      await sendFrom(t, ["127.0.0.2", 0], port, "another");
      await until("another one's answer", () => server.status("echo").datagramsOut === 6);
    });
  });
}

test("who answers everybody has a rate of datagrams where the manifest is silent", async () => {
  const plan = async (plugin: string, limits?: object): Promise<unknown> => {
    const value = { services: { s: { plugin, listen: "udp://127.0.0.1:0", limits } } };
    const source = { file: "/portico.json", value, locate: () => undefined };
    const [prepared] = await prepare(expand(source), source);
    return prepared!.plan.limits.datagramRate;
  };
  for (const plugin of ["echo", "chargen", "qotd", "daytime", "time"]) {
    assert.deepEqual(await plan(plugin), { count: 1000, per: 1000 });
  }
  assert.equal(await plan("discard"), undefined);
  assert.deepEqual(await plan("echo", { datagramRate: "none" }), { count: Infinity, per: 1000 });
  assert.deepEqual(await plan("discard", { datagramRate: "3/m" }), { count: 3, per: 60_000 });
});
