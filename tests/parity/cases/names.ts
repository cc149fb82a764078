/** Rules about names, and what a rule says for the plugin. */
import assert from "node:assert/strict";
import { ADDRESSED, type Case } from "../case.ts";
import type { Stage } from "../stage.ts";

/** The rule that has refused the one who was refused last. */
async function refusedBy(stage: Stage, from: string, count: number): Promise<unknown> {
  const call = await stage.call("echo refused", { from });
  const records = await stage.records("refuse", count);
  await call.refused(403);
  return records.at(-1)!["rule"];
}

async function served(stage: Stage, from: string): Promise<void> {
  assert.equal(await (await stage.call("echo served", { from })).done(), "served");
}

export const NAMES: readonly Case[] = [
  {
    name: "served by a domain that confirms it; who only claims a name in it is refused",
    transports: ADDRESSED,
    needs: "addresses",
    access: { allow: [".example.org"] },
    async run(stage: Stage) {
      await served(stage, "127.0.0.11");
      assert.equal(await refusedBy(stage, "127.0.0.12", 1), "not in allow");
      assert.equal(await refusedBy(stage, "127.0.0.16", 2), "not in allow");
      // What is known is not asked for again.
      await served(stage, "127.0.0.11");
      await stage.idle({ served: 2, refused: 2 });
      assert.equal(stage.house.names.count("11.0.0.127.in-addr.arpa PTR"), 1);
    },
  },
  {
    name: "refused by a domain inside of a range that is allowed, served by an address in it",
    transports: ADDRESSED,
    needs: "addresses",
    access: { allow: ["127.0.0.0/24", "guest.in.example.org"], deny: [".example.org"] },
    async run(stage: Stage) {
      assert.equal(await refusedBy(stage, "127.0.0.11", 1), "deny .example.org");
      await served(stage, "127.0.0.12");
      await served(stage, "127.0.0.13");
      await stage.idle({ served: 2, refused: 1 });
    },
  },
  {
    name: "served by the name of a host, refused by another one",
    transports: ADDRESSED,
    needs: "addresses",
    access: { allow: ["db.example.org", "127.0.0.0/28"], deny: ["good.example.org"] },
    async run(stage: Stage) {
      await served(stage, "127.0.0.15");
      assert.equal(await refusedBy(stage, "127.0.0.11", 1), "deny good.example.org");
      await stage.idle({ served: 1, refused: 1 });
    },
  },
  {
    name: "who waits for a name keeps nobody else waiting, and has none in the end",
    transports: ADDRESSED,
    needs: "addresses",
    access: { allow: [".example.org", "127.0.0.1"] },
    async run(stage: Stage) {
      const call = await stage.call("echo refused", { from: "127.0.0.14" });
      await stage.until({ live: 1, held: 1 });
      await served(stage, "127.0.0.1");
      await served(stage, "127.0.0.11");
      const [record] = await stage.records("refuse", 1);
      assert.equal(record!["rule"], "not in allow");
      await call.refused(403);
      await stage.idle({ served: 2, refused: 1, errors: 0 });
    },
  },
  {
    name: "who leaves while it waits for a name leaves nothing behind",
    transports: ["tcp"],
    needs: "resets",
    access: { deny: [".example.org"] },
    limits: { sessions: 1 },
    async run(stage: Stage) {
      const call = await stage.call("echo gone", { from: "127.0.0.17" });
      await stage.until({ live: 1, held: 1 });
      call.leave(true);
      await stage.until({ live: 0, held: 0 });
      await served(stage, "127.0.0.12");
      await stage.idle({ served: 1 });
    },
  },
  {
    name: "a handler learns what the rule says that has let it in",
    transports: ADDRESSED,
    needs: "addresses",
    access: {
      allow: [
        { from: ["127.0.0.2", ".example.org"], options: { RELAYCLIENT: "", N: "1" } },
        "127.0.0.0/24",
      ],
    },
    async run(stage: Stage) {
      const ask = async (from: string): Promise<unknown> =>
        JSON.parse(await (await stage.call("options", { from })).done());
      assert.deepEqual(await ask("127.0.0.2"), { RELAYCLIENT: "", N: "1" });
      assert.deepEqual(await ask("127.0.0.3"), null);
    },
  },
];
