/** What is said to those who come, beside the plugin. */
import assert from "node:assert/strict";
import { type Case, STREAMS } from "../case.ts";
import type { Stage } from "../stage.ts";

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

export const BANNERS: readonly Case[] = [
  {
    name: "a banner is said to whom is let in, before its plugin says anything",
    transports: STREAMS,
    banner: "welcome ${remote} to ${service} as ${session} at ${time}| ",
    async run(stage: Stage) {
      const call = await stage.call("echo hello");
      const [welcome = "", answer] = (await call.done()).split("| ");
      assert.equal(answer, "hello");
      const [, remote, service, session, time] =
        /^welcome (\S+) to (\S+) as (\d+) at (\S+)$/.exec(welcome) ?? [];
      assert.deepEqual([remote, service], [
        stage.transport === "tcp" ? "127.0.0.1" : "local",
        stage.name,
      ]);
      assert.match(time!, TIME);
      const [close] = await stage.records("close", 1);
      assert.equal(close!.session, Number(session));
      assert.equal(close!["bytesOut"], `${welcome}| hello\n`.length);
    },
  },
  {
    name: "a banner is said to whom is turned away, and it is closed then",
    transports: [...STREAMS, "http"],
    limits: { sessions: 1 },
    banner: { refuse: "421 ${service}: ${limit}, ${reason}.$${rule}${rule}\n" },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const second = await stage.call("echo refused");
      const said = await second.dismissed(503);
      assert.equal(said, `421 ${stage.name}: sessions, sessions.\${rule}\n`);
      await stage.records("refuse", 1, { limit: "sessions" });
      await stage.until({ live: 1, refused: 1 });
      stage.mark("a");
      assert.equal(await first.done(), "a");
      await stage.idle();
      assert.equal(await stage.ask("echo after"), "after");
      await stage.idle({ served: 2, refused: 1 });
    },
  },
  {
    name: "a banner names the rule that has refused",
    transports: ["tcp", "http"],
    needs: "addresses",
    access: { deny: ["127.0.0.2"] },
    banner: { refuse: "no: ${rule}" },
    async run(stage: Stage) {
      const call = await stage.call("echo refused", { from: "127.0.0.2" });
      assert.equal(await call.dismissed(403), "no: deny 127.0.0.2");
      await stage.idle({ served: 0, refused: 1 });
    },
  },
  {
    name: "a banner is said to whom verify turns away; place and turn are given back",
    transports: [...STREAMS, "http"],
    limits: { sessions: 2 },
    banner: { refuse: "by ${rule}" },
    async run(stage: Stage) {
      stage.mark("verify.refuses");
      const call = await stage.call("echo refused");
      assert.equal(await call.dismissed(403), "by verify");
      await stage.idle({ served: 0, refused: 1 });
      stage.unmark("verify.refuses");
      assert.equal(await stage.ask("echo after"), "after");
    },
  },
  {
    name: "a banner waits for nobody who does not read it, nor close",
    transports: STREAMS,
    limits: { sessions: 1 },
    banner: { refuse: "no" },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const began = performance.now();
      const silent = await stage.call("");
      await stage.records("refuse", 1);
      // It says nothing, keeps its own side open, and is cut.
      await silent.dismissed(0);
      assert.ok(performance.now() - began < 4000);
      stage.mark("a");
      assert.equal(await first.done(), "a");
      await stage.idle();
    },
  },
];
