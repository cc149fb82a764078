/** A `portico.ts` whose plugins and sinks are objects, under `portico run`. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { portico } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { askOnce } from "../support/peers.ts";
import { startServer } from "../support/server-process.ts";
import { lackingStrategy } from "../support/strategies.ts";

/** Two services: one that answers with a word, and one with a name. */
const manifest = (word: string, concurrency = "async"): string =>
  `import { defineManifest, definePlugin } from "portico";
const plugin = definePlugin({
  name: "word",
  transports: ["stream"],
  start: () => ({ data: (session) => void session.write("${word}\\n") }),
});
const listen = "tcp://127.0.0.1:0";
const told = (record: { readonly event: string }): void => {
  if (record.event === "open") console.log(JSON.stringify({ ...record, told: true }));
};
export default defineManifest({
  defaults: { log: "json" },
  services: {
    word: { plugin, listen, log: ["json", told], concurrency: "${concurrency}" },
    echo: { plugin: "echo", listen },
  },
});
`;

describe("a portico.ts with objects", () => {
  test("is served, and a reload takes what is new in it", async (t) => {
    const home = folder(t, { "portico.ts": manifest("first") });
    const server = await startServer(t, home);
    const endpoint = server.endpoint("echo", "tcp");
    const asked = server.endpoint("word", "tcp");
    assert.equal(await askOnce(t, asked, "?"), "first");
    assert.equal(await askOnce(t, endpoint, "hello"), "hello");
    await server.record({ event: "open", service: "word", told: true });
    writeFileSync(join(home, "portico.ts"), manifest("second"));
    server.signal("SIGHUP");
    const { changed, unchanged } = await server.record({ event: "reload" });
    assert.deepEqual([changed, unchanged], [["word"], ["echo"]]);
    assert.equal(await askOnce(t, asked, "?"), "second");
    await server.stop();
  });

  test(
    "is refused under workers, with what to say instead",
    { skip: lackingStrategy("threads") },
    async (t) => {
      const home = folder(t, { "portico.ts": manifest("first", "threads") });
      const { code, err } = await portico("check", home);
      assert.equal(code, 2);
      assert.match(
        err,
        /portico\.ts {2}services\.word\.plugin\n {2}received {2}the object "word" with the strategy "threads"/,
      );
    },
  );
});
