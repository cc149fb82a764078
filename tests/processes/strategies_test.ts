/** The five strategies over every transport: what a plugin and its peers see is the same. */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { assertBytes, pattern, text } from "../conformance/harness.ts";
import { lackingTransport, type PlainTransport } from "../support/adapter.ts";
import { portico } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { type DatagramClient, dial, openDatagrams, type StreamClient } from "../support/peers.ts";
import { ask, controlled, whereabouts, who } from "../support/probe.ts";
import { children, countDescriptors, gone } from "../support/proc.ts";
import { pluginPath, type ServerProcess, startServer } from "../support/server-process.ts";
import { lackingStrategy, STRATEGIES, type StrategyName, WORKERS } from "../support/strategies.ts";

const TRANSPORTS = (["tcp", "unix", "udp", "unixgram"] as const).filter((transport) =>
  !lackingTransport(transport)
);
const STREAMS = TRANSPORTS.filter((transport) => transport === "tcp" || transport === "unix");
const DATAGRAMS = TRANSPORTS.filter((transport) =>
  transport.startsWith("u") && transport !== "unix"
);

/** A service on all transports. */
function everywhere(name: string, concurrency: string | object, options: object): object {
  const places = TRANSPORTS.map((transport) =>
    transport.startsWith("unix")
      ? `${transport}:./${name}.${transport}`
      : `${transport}://127.0.0.1:0`
  );
  return { plugin: pluginPath("probe"), listen: places, concurrency, options };
}

/** One strategy with all forms of a plugin on all transports, from a folder of its own. */
async function house(
  t: TestContext,
  strategy: StrategyName,
): Promise<{ server: ServerProcess; home: string }> {
  const home = folder(t, {});
  const concurrency = strategy === "threads" || strategy === "processes"
    ? { strategy, workers: 2 }
    : strategy;
  const closed = join(home, "closed");
  const services = Object.fromEntries(
    ["push", "pull", "commands"].map((form) => [
      form,
      everywhere(form, concurrency, { form, closed }),
    ]),
  );
  writeFileSync(join(home, "portico.json"), controlled(services)["portico.json"]);
  return { server: await startServer(t, home), home };
}

/** Sends all, and takes what comes back until the server ends. */
async function whole(peer: StreamClient, bytes: Uint8Array): Promise<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 50_000) peer.send(bytes.subarray(at, at + 50_000));
  peer.end();
  await peer.when("the end from the server", () => peer.gone, 20_000);
  return peer.bytes();
}

for (const strategy of STRATEGIES) {
  test(
    `${strategy}: every form over every transport`,
    { skip: lackingStrategy(strategy) },
    async (t) => {
      const { server, home } = await house(t, strategy);
      const big = pattern(1024 * 1024 + 1);
      const senders = new Map<PlainTransport, DatagramClient>();
      for (const transport of DATAGRAMS) senders.set(transport, await openDatagrams(t, transport));

      for (const form of ["push", "pull"]) {
        // A mebibyte there and back.
        await Promise.all(STREAMS.map(async (transport) => {
          const peer = await dial(t, server.endpoint(form, transport));
          assertBytes(await whole(peer, big), big, `${form} over ${transport}`);
        }));
        for (const transport of DATAGRAMS) {
          const sender = senders.get(transport)!;
          const endpoint = server.endpoint(form, transport);
          for (const size of [0, 1, 8192]) {
            const sent = pattern(size, size);
            assertBytes(await sender.ask(sent, endpoint), sent, `${size} bytes over ${transport}`);
          }
        }
        const closes = await server.count(STREAMS.length, {
          event: "close",
          service: form,
          bytesIn: big.length,
        });
        for (const close of closes) {
          assert.deepEqual([close["bytesOut"], close["reason"]], [big.length, "peer"]);
          // setup and finish have run where it was served, and all records have its number.
          const events = server.all({ service: form, session: close.session })
            .map(({ event, text }) => text ?? event);
          assert.deepEqual(events, ["open", "setup", "finish", "close"]);
        }
        const count = STREAMS.length + 3 * DATAGRAMS.length;
        const all = await server.count(count, { event: "close", service: form });
        assert.equal(new Set(all.map(({ session }) => session)).size, count);
      }

      // Sessions know their numbers, everywhere.
      const ids: number[] = [];
      for (const transport of STREAMS) {
        const peer = await dial(t, server.endpoint("commands", transport));
        const { id } = await who(peer);
        ids.push(id);
        assert.equal(await ask(peer, "log 20"), "logged");
        peer.end();
        await server.record({ event: "close", session: id, reason: "peer" });
        const logged = server.all({ event: "log", session: id, text: "logged" });
        assert.deepEqual(
          logged.map(({ number }) => number),
          Array.from({ length: 20 }, (_, i) => i + 1),
        );
        const open = server.all({ event: "open", session: id });
        assert.equal(open.length, 1);
        assert.equal(open[0]!["remote"], peer.name);

        const bad = await dial(t, server.endpoint("commands", transport));
        bad.send("throw\n");
        bad.end();
        await bad.over();
        const said = await server.record({ text: "error hook", message: "a hook throws" });
        const close = await server.record({ event: "close", session: said.session });
        assert.equal(close["reason"], "error");
        ids.push(close.session!);
        server.records.splice(server.records.indexOf(said), 1);
      }
      for (const transport of DATAGRAMS) {
        const sender = senders.get(transport)!;
        const endpoint = server.endpoint("commands", transport);
        const { id } = whereabouts(text(await sender.ask("who\n", endpoint)).trim());
        ids.push(id);
        await server.record({ event: "close", session: id });
        sender.send("throw\n", endpoint);
        const said = await server.record({ text: "error hook", message: "a hook throws" });
        assert.equal(
          (await server.record({ event: "close", session: said.session }))["reason"],
          "error",
        );
        server.records.splice(server.records.indexOf(said), 1);
      }
      assert.equal(new Set(ids).size, ids.length);

      // verify says no, to the peer and to the log.
      writeFileSync(join(home, "closed"), "");
      for (const form of ["push", "pull"]) {
        for (const transport of STREAMS) {
          const peer = await dial(t, server.endpoint(form, transport));
          await peer.over();
          assert.equal(peer.received, 0);
        }
        for (const transport of DATAGRAMS) {
          senders.get(transport)!.send("nobody", server.endpoint(form, transport));
        }
        const refusals = await server.count(TRANSPORTS.length, { event: "refuse", service: form });
        for (const { session, rule } of refusals) {
          assert.equal(rule, "verify");
          assert.deepEqual(
            server.all({ session, service: form }).map(({ event }) => event),
            ["refuse"],
          );
        }
      }
      rmSync(join(home, "closed"));

      const status = await server.status("push");
      assert.equal(status["live"], 0);
      assert.equal(status["served"], STREAMS.length + 3 * DATAGRAMS.length);
      assert.equal(status["refused"], TRANSPORTS.length);
      const size = STREAMS.length * big.length + DATAGRAMS.length * 8193;
      assert.deepEqual([status["bytesIn"], status["bytesOut"]], [
        size + 6 * DATAGRAMS.length,
        size,
      ]);
      const workers = children(server.pid);
      await server.stop();
      await gone(workers);
      assert.equal(server.errors, "");
    },
  );

  test(
    `${strategy}: sessions leave no descriptor and no process behind`,
    { skip: lackingStrategy(strategy) },
    async (t) => {
      const concurrency = strategy === "threads" || strategy === "processes"
        ? { strategy, workers: 2 }
        : strategy === "spawn"
        ? { strategy, max: 4 }
        : strategy;
      const home = folder(
        t,
        controlled({
          one: { ...everywhere("one", concurrency, { form: "commands" }), limits: { hold: "10m" } },
        }),
      );
      const server = await startServer(t, home);
      const senders = await Promise.all(
        DATAGRAMS.map(async (transport) =>
          [await openDatagrams(t, transport), server.endpoint("one", transport)] as const
        ),
      );
      // A process for each session takes its time; what one leaves behind is seen after one.
      const [rounds, visits] = strategy === "spawn" ? [1, 2] : [10, 5];
      const visit = async (transport: PlainTransport): Promise<void> => {
        const peer = await dial(t, server.endpoint("one", transport));
        assert.equal(await ask(peer, "echo x"), "x");
        peer.end();
        await peer.when("the close", () => peer.gone);
      };
      const round = async (): Promise<void> => {
        await Promise.all(
          STREAMS.flatMap((transport) => Array.from({ length: visits }, () => visit(transport))),
        );
        for (const [sender, endpoint] of senders) {
          for (let i = 0; i < visits; i++) {
            assert.equal(text(await sender.ask("echo x\n", endpoint)), "x\n");
          }
        }
      };
      const each = visits * TRANSPORTS.length;
      const rest = async (count: number): Promise<void> => {
        await server.count(count, { event: "close" });
        let before = 0;
        // Spares of spawn are there again, those that have served are gone.
        for (;;) {
          const now = (await server.status("one"))["live"] as number;
          const ready = server.all({ event: "worker", action: "started" }).length;
          if (now === 0 && ready === before) return;
          before = ready;
        }
      };
      await round();
      await rest(each);
      const before = countDescriptors(server.pid);
      const processes = children(server.pid).length;
      for (let i = 0; i < rounds; i++) await round();
      await rest(each * (rounds + 1));
      await settles(() => countDescriptors(server.pid), before);
      await settles(() => children(server.pid).length, processes);
      await server.stop();
    },
  );
}

/** Waits for a count to be what it was; spares that are being started come and go. */
async function settles(count: () => number, to: number): Promise<void> {
  const { until } = await import("../support/until.ts");
  await until(() => `${to}; it is ${count()}`, () => count() <= to);
}

for (const [workers, stream, datagram] of [[2, "tcp", "udp"], [4, "unix", "unixgram"]] as const) {
  for (const strategy of ["threads", "processes"] as const) {
    test(
      `${strategy} ${workers}: 200 sessions are spread evenly`,
      { skip: lackingStrategy(strategy) },
      async (t) => {
        const home = folder(
          t,
          controlled({
            one: everywhere("one", { strategy, workers }, { form: "commands" }),
          }),
        );
        const server = await startServer(t, home);
        for (const transport of STREAMS.filter((transport) => transport === stream)) {
          const counts = new Map<string, number>();
          for (let i = 0; i < 10; i++) {
            const peers = await Promise.all(
              Array.from({ length: 20 }, () => dial(t, server.endpoint("one", transport))),
            );
            for (const { place } of await Promise.all(peers.map(who))) add(counts, place);
            for (const peer of peers) peer.end();
            await Promise.all(peers.map((peer) => peer.when("the close", () => peer.gone)));
          }
          spread(t, `${strategy} ${workers} over ${transport}`, counts, workers);
        }
        for (const transport of DATAGRAMS.filter((transport) => transport === datagram)) {
          const counts = new Map<string, number>();
          const sender = await openDatagrams(t, transport);
          for (let i = 0; i < 200; i++) {
            const answer = text(await sender.ask("who\n", server.endpoint("one", transport)));
            add(counts, whereabouts(answer.trim()).place);
          }
          spread(t, `${strategy} ${workers} over ${transport}`, counts, workers);
        }
        await server.stop();
      },
    );
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Nobody is without work, nobody has much more than his share. */
function spread(
  t: TestContext,
  what: string,
  counts: ReadonlyMap<string, number>,
  workers: number,
): void {
  const list = [...counts.values()].toSorted((a, b) => a - b);
  t.diagnostic?.(`${what}: ${list.join(" ")}`);
  assert.equal(counts.size, workers, `${what}: ${list}`);
  const share = 200 / workers;
  assert.ok(list[0]! >= 0.8 * share && list.at(-1)! <= 1.2 * share, `${what}: ${list}`);
}

test("check accepts every strategy over every transport", async (t) => {
  const usable = STRATEGIES.filter((strategy) => !lackingStrategy(strategy));
  const home = folder(
    t,
    controlled(Object.fromEntries(
      usable.map((strategy) => [strategy, everywhere(strategy, strategy, { form: "push" })]),
    )),
  );
  const { code, out, err } = await portico("check", home, "--json");
  assert.equal(code, 0, out + err);
  assert.equal(JSON.parse(out).services.length, usable.length);
});

for (const strategy of WORKERS) {
  test(`${strategy} is refused where descriptors cannot be passed`, {
    skip: lackingStrategy(strategy) === false && "they can be passed here",
  }, async (t) => {
    const { code, out } = await portico(
      "check",
      folder(
        t,
        controlled({
          one: everywhere("one", strategy, { form: "push" }),
        }),
      ),
    );
    assert.equal(code, 2);
    assert.match(out, new RegExp(`no .*strategy ${strategy}`));
  });
}
