/** UDP on every address of the machine, under every strategy. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lackingFeature } from "../support/adapter.ts";
import { ManagedServer } from "../support/managed-server.ts";
import { ConnectedClient } from "../support/peers.ts";
import { pluginPath } from "../support/server-process.ts";
import { lackingStrategy, STRATEGIES } from "../support/strategies.ts";

for (const strategy of STRATEGIES) {
  test(
    `${strategy}: an answer leaves from the address that was asked, and session.local says it`,
    { skip: lackingStrategy(strategy) || lackingFeature("packetInfo") },
    async (t) => {
      const managed = await ManagedServer.start(t, {
        all: { plugin: pluginPath("remote"), listen: "udp://*:0", concurrency: strategy },
        four: { plugin: pluginPath("remote"), listen: "udp://0.0.0.0:0", concurrency: strategy },
      });
      const check = async (service: string, host: string): Promise<void> => {
        const port = managed.process.endpoint(service, "udp").split(":").at(-1);
        const endpoint = `udp://${host}:${port}`;
        const client = await ConnectedClient.dial(t, endpoint);
        const answer = new TextDecoder().decode(await client.ask("which?", endpoint));
        assert.equal(answer, `${client.name} asked ${endpoint}`);
      };
      for (const host of ["127.0.0.5", "127.0.0.1", "[::1]"]) await check("all", host);
      for (const host of ["127.0.0.5", "127.0.0.1"]) await check("four", host);
      // Another socket is received from after it.
      await managed.ask("suspend", { service: "all" });
      await managed.ask("resume", { service: "all" });
      await check("all", "127.0.0.5");
      await managed.process.stop();
    },
  );
}
