/** Shortage of file descriptors: nobody is served under another peer's name, and all is well when it is over. */
import assert from "node:assert/strict";
import { createConnection, type Socket } from "node:net";
import { test } from "node:test";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import { folder } from "../support/folder.ts";
import { controlled } from "../support/probe.ts";
import { lackingPrograms } from "../support/packages.ts";
import { limitDescriptors, pluginPath, startServer } from "../support/server-process.ts";
import { until } from "../support/until.ts";
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
  spawn: [128, 160, 20],
};

for (const strategy of STRATEGIES) {
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
            limits: { hold: "60s", drain: "1s" },
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
