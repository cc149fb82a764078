/** `*` means IPv4 alone where there is no IPv6, on every transport and under every strategy. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { lackingFilter, withoutIPv6 } from "../support/families.ts";
import { folder } from "../support/folder.ts";
import { askOnce, openUdp } from "../support/peers.ts";
import { get } from "../support/requests.ts";
import { failToStart, manifest, pluginPath, startServer } from "../support/server-process.ts";
import { lackingStrategy, SAMPLE } from "../support/strategies.ts";

for (const strategy of SAMPLE) {
  test(
    `${strategy}: without IPv6, * listens on 0.0.0.0`,
    { skip: lackingFilter || lackingStrategy(strategy) },
    async (t) => {
      const here = strategy === "serial" || strategy === "async";
      const home = folder(t, {
        "portico.json": manifest({
          echo: { plugin: "echo", listen: ["tcp://*:0", "udp://*:0"], concurrency: strategy },
          ...(here && {
            web: { plugin: pluginPath("web"), listen: "http://*:0", concurrency: strategy },
          }),
        }),
      });
      const server = await startServer(t, home, { through: withoutIPv6 });
      const endpoints = server.all({ event: "listening" }).map((record) => `${record["endpoint"]}`);
      assert.equal(endpoints.length, here ? 3 : 2);
      for (const endpoint of endpoints) assert.match(endpoint, /^\w+:\/\/0\.0\.0\.0:\d+$/);
      const at = (service: string, transport: string): string =>
        server.endpoint(service, transport).replace("0.0.0.0", "127.0.0.1");
      assert.equal(await askOnce(t, at("echo", "tcp"), "hello"), "hello");
      const answer = await (await openUdp(t)).ask("hello", at("echo", "udp"));
      assert.equal(new TextDecoder().decode(answer), "hello");
      if (here) assert.equal((await get(at("web", "http"), "/")).status, 200);
      await server.stop();
    },
  );
}

for (const transport of ["tcp", "http"]) {
  test(`${transport}: * is refused where [::] is taken, though 0.0.0.0 is free`, async (t) => {
    const other = createServer();
    other.listen({ host: "::", port: 0, ipv6Only: true });
    t.after(() => void other.close());
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    const home = folder(t, {
      "portico.json": manifest({
        taken: {
          plugin: transport === "tcp" ? "echo" : pluginPath("web"),
          listen: `${transport}://*:${port}`,
        },
      }),
    });
    const { code, block } = await failToStart(t, home);
    assert.notEqual(code, 0);
    assert.match(block, /EADDRINUSE/);
  });
}
