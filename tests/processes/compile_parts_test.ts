/** Executables of manifests in parts: `includedir`, which is read where they run, and matchers of packages. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { RUNTIMES } from "../support/command.ts";
import { compileOn } from "../support/compiled.ts";
import { folder } from "../support/folder.ts";
import { askOnce, dial } from "../support/peers.ts";
import { lackingFeature } from "../support/adapter.ts";
import { ServerProcess } from "../support/server-process.ts";

const TCP = "tcp://127.0.0.1:0";
/** A plugin that says its own name before what it has heard. */
const plugin = (name: string): string =>
  `export default {
  name: ${JSON.stringify(name)},
  transports: ["stream"],
  start: () => ({
    data: (session, chunk) => void session.write(${
    JSON.stringify(`${name} `)
  } + new TextDecoder().decode(chunk)),
  }),
};
`;
const FILES = {
  "portico.json": JSON.stringify({
    plugins: { told: "./told.mjs" },
    defaults: { log: "json" },
    includedir: "./services.d",
    services: {
      front: {
        listen: TCP,
        match: {
          wait: "20s",
          routes: [
            { when: { plugin: "portico-matcher-hash" }, service: "packaged" },
            { when: { plugin: "./dollar.mjs" }, service: "own" },
            { otherwise: "rest" },
          ],
        },
      },
      packaged: { plugin: "./packaged.mjs" },
      own: { plugin: "./own.mjs" },
      rest: { plugin: "./rest.mjs" },
    },
  }),
  "told.mjs": plugin("told"),
  "packaged.mjs": plugin("packaged"),
  "own.mjs": plugin("own"),
  "rest.mjs": plugin("rest"),
  "dollar.mjs":
    `export const match = (bytes) => bytes.length === 0 ? undefined : bytes[0] === 36;\n`,
  "node_modules/portico-matcher-hash/package.json": JSON.stringify({
    name: "portico-matcher-hash",
    type: "module",
    exports: "./index.js",
  }),
  "node_modules/portico-matcher-hash/index.js":
    `import { HASH } from "./hash.js";\nexport const match = (bytes) => bytes.length === 0 ? undefined : bytes[0] === HASH;\n`,
  "node_modules/portico-matcher-hash/hash.js": "export const HASH = 35;\n",
};

describe("an executable of a manifest in parts", () => {
  for (const runtime of RUNTIMES) {
    test(`has matchers of packages inside, and reads includedir where it runs, on ${runtime}`, {
      skip: lackingFeature("descriptors"),
    }, async (t) => {
      // There is no folder services.d where it is made.
      const file = join(folder(t, {}), "parts");
      const note = await compileOn(t, folder(t, FILES), runtime, file);
      if (note !== undefined) t.diagnostic(note);
      const home = folder(t, {});
      mkdirSync(join(home, "services.d"));
      const put = (name: string, service: object): void =>
        writeFileSync(join(home, "services.d", name), JSON.stringify(service));
      put("first.json", { plugin: "told", listen: TCP });
      const server = new ServerProcess("run", { cwd: home, portico: [file], command: [] });
      t.after(() => server.kill());
      await server.record({ event: "ready" });

      const front = server.endpoint("front", "tcp");
      for (const [line, name] of [["#a", "packaged"], ["$a", "own"], ["a", "rest"]] as const) {
        assert.equal(await askOnce(t, front, line), `${name} ${line}`);
      }
      assert.equal(await askOnce(t, server.endpoint("first", "tcp"), "b"), "told b");

      put("second.jsonc", { plugin: "echo", listen: TCP });
      server.signal("SIGHUP");
      const { added } = await server.record({ event: "reload" });
      assert.deepEqual(added, ["second"]);
      const peer = await dial(t, server.endpoint("second", "tcp"));
      await peer.echo("c");
      await server.stop();
    });
  }
});
