/** The end of a server: whoever has come has `limits.drain`, served or waiting; nothing is left. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import type { Case } from "../case.ts";
import type { Stage } from "../stage.ts";
import { children, gone, knock } from "../support.ts";

/** How a server, or one service of it, is told to stop. */
const WAYS: Readonly<Record<string, (stage: Stage) => unknown>> = {
  "SIGTERM": ({ house }) => house.server.signal("SIGTERM"),
  "ctl stop": ({ house }) => house.site.ask("stop"),
};

/** One is served and one waits when the server is told to stop. */
async function stopped(stage: Stage, way: string) {
  const endpoint = await stage.endpoint();
  const calls = [await stage.occupy("a"), await stage.call("echo b")] as const;
  await stage.until({ live: 2, held: 1 });
  const workers = children(stage.house.server.pid);
  await stage.together("all have come", () => WAYS[way]!(stage));
  await stage.records("drain", 1);
  const end = async (): Promise<void> => {
    const { server, site } = stage.house;
    assert.equal(await server.ended(), 0);
    await gone(workers);
    if (endpoint.startsWith("unix")) {
      assert.equal(existsSync(endpoint.replace(/^\w+:/, "")), false, `${endpoint} is left`);
    } else if (!endpoint.startsWith("udp")) {
      assert.equal(await knock(endpoint), "ECONNREFUSED");
    }
    assert.equal(existsSync(site.control), false, "the control socket is left");
    assert.equal(server.errors, "");
  };
  return { calls, end };
}

function casesOf(way: string): readonly Case[] {
  return [
    {
      name: `${way}: who is served and who waits is answered, then it ends`,
      alone: true,
      async run(stage: Stage) {
        const { calls, end } = await stopped(stage, way);
        assert.ok(!calls[0].answered && !calls[1].answered);
        stage.mark("a");
        assert.equal(await calls[0].done(), "a");
        assert.equal(await calls[1].done(), "b");
        await end();
        await stage.records("open", 2);
        await stage.records("close", 2, {
          reason: stage.kind === "stream" ? "peer" : "done",
        });
        assert.deepEqual(stage.all({ event: "refuse" }), []);
      },
    },
    {
      name: `${way}: when its time is over, who waits is refused and who is served is cut`,
      alone: true,
      limits: { drain: "400ms" },
      async run(stage: Stage) {
        const { calls, end } = await stopped(stage, way);
        for (const call of calls) await call.refused(503);
        await end();
        await stage.records("refuse", 1, { limit: "drain" });
        await stage.records("open", 1);
        await stage.records("close", 1, { reason: "drain" });
        await stage.traces("told", 1);
      },
    },
  ];
}

export const STOPS: readonly Case[] = [
  ...Object.keys(WAYS).flatMap(casesOf),
  {
    name: "ctl stop SERVICE: who is served and who waits is answered, then it is stopped",
    async run(stage: Stage) {
      const endpoint = await stage.endpoint();
      const calls = [await stage.occupy("a"), await stage.call("echo b")];
      await stage.until({ live: 2, held: 1 });
      const answer = stage.control("stop");
      await stage.records("drain", 1);
      stage.mark("a");
      const answers = [];
      for (const call of calls) answers.push(await call.done());
      assert.deepEqual(answers, ["a", "b"]);
      await answer;
      await stage.idle({ state: "stopped", served: 2, refused: 0 });
      if (endpoint.startsWith("unix")) {
        assert.equal(existsSync(endpoint.replace(/^\w+:/, "")), false, `${endpoint} is left`);
      }
    },
  },
  {
    name: "ctl stop SERVICE: when its time is over, who waits is refused and who is served is cut",
    limits: { drain: "300ms" },
    async run(stage: Stage) {
      const calls = [await stage.occupy("a"), await stage.call("echo b")];
      await stage.until({ live: 2, held: 1 });
      await stage.control("stop");
      await stage.records("refuse", 1, { limit: "drain" });
      await stage.records("close", 1, { reason: "drain" });
      for (const call of calls) await call.refused(503);
      await stage.idle({ state: "stopped", served: 1, refused: 1 });
    },
  },
];
