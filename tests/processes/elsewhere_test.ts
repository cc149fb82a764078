/** A checkout runs manifests that lie anywhere: what they import as `portico` is what runs them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lackingWorkers } from "../support/strategies.ts";
import { portico } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { askOnce } from "../support/peers.ts";
import { startServer } from "../support/server-process.ts";

const PLUGIN = `import { definePlugin, PorticoError } from "portico";
export default definePlugin({
  name: "told",
  transports: ["stream"],
  start: () => ({
    async handle(session) {
      for await (const line of session.lines()) session.write(line + " " + PorticoError.name + "\\n");
    },
  }),
});
`;
const manifest = (...strategies: readonly string[]): string =>
  `import { defineManifest } from "portico";
export default defineManifest({
  services: Object.fromEntries(${JSON.stringify(strategies)}.map((strategy) => [strategy, {
    plugin: "./told.ts", listen: "tcp://127.0.0.1:0", concurrency: strategy,
  }])),
});
`;

test("a manifest and a plugin outside the checkout import portico, in every kind of worker", async (t) => {
  const strategies = ["async", ...(lackingWorkers ? [] : ["threads", "processes", "spawn"])];
  const home = folder(t, { "portico.ts": manifest(...strategies), "told.ts": PLUGIN });
  const checked = await portico("check", home);
  assert.equal(checked.code, 0, checked.out + checked.err);
  const server = await startServer(t, home);
  for (const name of strategies) {
    const answer = await askOnce(t, server.endpoint(name, "tcp"), "hello");
    assert.equal(answer, "hello PorticoError", name);
  }
  await server.stop();
});
