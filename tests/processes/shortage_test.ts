/** Shortage of file descriptors: nobody is served under another peer's name, and all is well when it is over. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import { neededDescriptors } from "../../runtime/strategies/descriptors.ts";
import { STRATEGIES as STRATEGY_TABLE } from "../../runtime/strategies/mod.ts";
import { adapter } from "../support/adapter.ts";
import { portico } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { expand } from "../support/manifest.ts";
import { controlled } from "../support/probe.ts";
import { lackingPrograms } from "../support/packages.ts";
import {
  failToStart,
  limitDescriptors,
  manifest,
  pluginPath,
  startServer,
} from "../support/server-process.ts";
import { until, within } from "../support/until.ts";
import { lackingStrategy, STRATEGIES, type StrategyName } from "../support/strategies.ts";

/** A peer that says nothing, and what it was told. */
class Silent {
  readonly socket: Socket;
  readonly from: string;
  text = "";
  gone = false;

  constructor(port: number, from: string) {
    this.from = from;
    this.socket = createConnection({ port, host: "127.0.0.1", localAddress: from });
    this.socket.setEncoding("utf8").on("data", (text: string) => this.text += text);
    this.socket.on("error", () => {});
    this.socket.on("close", () => this.gone = true);
  }

  /** Whether it was told its own address. */
  get served(): boolean {
    return this.text === `tcp://${this.from}:${this.socket.localPort}\n`;
  }
}

/** How many descriptors there are, who comes at once, and who comes when they have gone. */
const CROWDS: Readonly<
  Record<StrategyName, readonly [limit: number, crowd: number, after: number]>
> = {
  serial: [96, 150, 30],
  async: [96, 150, 100],
  threads: [160, 220, 100],
  processes: [128, 220, 100],
  // Each of them has a process, sooner or later.
  spawn: [72, 80, 5],
};

/** What a server with these services needs at the least. */
function needed(path: string, strategy: StrategyName, concurrency: unknown): number {
  const value = {
    services: { one: { plugin: "echo", listen: "tcp://127.0.0.1:0", concurrency } },
  };
  const { services } = expand({ file: path, value, locate: () => undefined });
  const cost = adapter.features.descriptorCost!;
  const count = neededDescriptors(services, cost);
  const worker = STRATEGY_TABLE[strategy].worker;
  assert.equal(count, cost.server + 1 + (worker === undefined ? 0 : cost[worker]));
  return count;
}

for (const strategy of STRATEGIES) {
  test(
    `${strategy}: with as few descriptors as it says it serves on after a rush, with one less it does not start`,
    {
      skip: lackingStrategy(strategy) || lackingPrograms("sh"),
    },
    async (t) => {
      const workers = strategy === "threads" || strategy === "processes" ? { workers: 1 } : {};
      const concurrency = { strategy, ...workers };
      const one = { plugin: pluginPath("remote"), listen: "tcp://127.0.0.1:0", concurrency };
      const home = folder(t, { "portico.json": manifest({ one }) });
      const least = needed(home, strategy, concurrency);
      const { code, block } = await failToStart(t, home, limitDescriptors(least - 1));
      assert.equal(code, 1);
      assert.match(
        block,
        new RegExp(`needs ${least} file descriptors .* may have ${least - 1}`, "s"),
      );
      const server = await startServer(t, home, { through: limitDescriptors(least) });
      const { port } = parseEndpoint(server.endpoint("one", "tcp")) as { port: number };
      const count = strategy === "spawn" ? 12 : 60;
      const crowd = Array.from({ length: count }, () => new Silent(port, "127.0.0.1"));
      t.after(() => crowd.forEach(({ socket }) => void socket.destroy()));
      await until("somebody to be served", () => crowd.some(({ served }) => served), 30_000);
      for (const { socket } of crowd) socket.destroy();
      for (let i = 1; i <= 4; i++) {
        const late = new Silent(port, `127.0.1.${i}`);
        t.after(() => void late.socket.destroy());
        await until("another one to be served", () => late.served, 40_000);
        late.socket.destroy();
      }
      await server.stop();
    },
  );

  const [limit, crowd, after] = CROWDS[strategy];
  test(
    `${strategy}: ${crowd} peers at ${limit} descriptors, then ${after}: each is served as itself, and the other service too`,
    {
      skip: lackingStrategy(strategy) || lackingPrograms("sh"),
    },
    async (t) => {
      const workers = strategy === "threads" || strategy === "processes" ? { workers: 1 } : {};
      const plugin = pluginPath("remote");
      const home = folder(
        t,
        controlled({
          one: {
            plugin,
            listen: "tcp://127.0.0.1:0",
            concurrency: { strategy, ...workers },
            limits: { hold: "10m", drain: "1s" },
          },
          other: { plugin, listen: "tcp://127.0.0.1:0" },
        }),
      );
      const server = await startServer(t, home, { through: limitDescriptors(limit) });
      const port = (service: string): number => {
        const endpoint = parseEndpoint(server.endpoint(service, "tcp"));
        return "port" in endpoint ? endpoint.port : 0;
      };
      const peers: Silent[] = [];
      t.after(() => peers.forEach(({ socket }) => void socket.destroy()));
      const come = (service: string, from: string): Silent => {
        const peer = new Silent(port(service), from);
        peers.push(peer);
        return peer;
      };
      const first = Array.from({ length: crowd }, () => come("one", "127.0.0.1"));
      const told = (): Silent[] => first.filter(({ text }) => text.endsWith("\n"));
      await until("somebody to be served", () => told().length > 0, 30_000);
      assert.deepEqual(told().filter(({ served }) => !served).map(({ text }) => text), []);
      for (const { socket } of first) socket.destroy();
      await until("all of them to have gone", () => first.every(({ gone }) => gone));
      const next = Array.from({ length: after }, (_, i) => come("one", `127.0.1.${i + 1}`));
      for (const peer of next) {
        await until(
          () => `${peer.from} to be served; it was told ${peer.text}`,
          () => peer.text !== "",
          30_000,
          // Those of the crowd come first; to spawn a process for each of them takes as long as it takes.
          () => server.all({ event: "close" }).length,
        );
        assert.ok(peer.served, `${peer.from} was told ${peer.text}`);
        // More of them than there are descriptors for may come, and some strategies serve one at a time.
        peer.socket.destroy();
      }
      const other = come("other", "127.0.0.1");
      await until("the other service", () => other.served, 30_000);
      for (const { socket } of peers) socket.destroy();
      let status = await server.status("one");
      const end = performance.now() + 30_000;
      while (status["live"] !== 0 && performance.now() < end) status = await server.status("one");
      assert.equal(status["live"], 0, JSON.stringify(status));
      await server.stop();
    },
  );
}

const ENDPOINTS = {
  tcp: { listen: "tcp://127.0.0.1:0" },
  unix: { listen: "unix:./s.sock" },
  tls: { listen: "tls://127.0.0.1:0", tls: "self-signed" },
} as const;

for (const [transport, endpoint] of Object.entries(ENDPOINTS)) {
  test(
    `with a crowd that has taken the descriptors, over ${transport}, the server answers who asks it, and serves whoever comes later`,
    { skip: lackingPrograms("sh") },
    async (t) => {
      const plugin = pluginPath("remote");
      const services = { one: { plugin, ...endpoint } };
      const home = folder(t, controlled(services));
      const server = await startServer(t, home, { through: limitDescriptors(160) });
      const where = parseEndpoint(server.endpoint("one", transport));
      const at = "path" in where
        ? { path: where.path }
        : { host: "127.0.0.1", port: "port" in where ? where.port : 0 };
      const crowd = Array.from({ length: 300 }, () => createConnection(at).on("error", () => {}));
      t.after(() => crowd.forEach((peer) => void peer.destroy()));
      await server.record({ event: "error", code: "EMFILE" });
      const told = await portico("ctl", "status", "--manifest", home);
      assert.equal(told.code, 0, told.err);
      for (const peer of crowd) peer.destroy();
      const late = transport === "tls"
        ? connectTls({ ...at, rejectUnauthorized: false })
        : createConnection(at);
      t.after(() => void late.destroy());
      const served = once(late, transport === "tls" ? "secureConnect" : "data");
      await within("the service of whoever comes later", served, 30_000);
      late.destroy();
      await server.stop();
    },
  );
}
