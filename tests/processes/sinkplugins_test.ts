/** Types of sinks that plugins provide, in servers that run: what a bad one does to the others, and to the end. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { folder } from "../support/folder.ts";
import { askOnce } from "../support/peers.ts";
import { failToStart, pluginPath, startServer } from "../support/server-process.ts";
import { lackingWorkers } from "../support/strategies.ts";

const MOD = new URL("../../runtime/mod.ts", import.meta.url).href;
const VALIBOT = import.meta.resolve("valibot");

/** A sink that does its work until the nth record, or the end, and then what `bad` says. */
const SINK = `
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { defineSink } from "${MOD}";
import * as v from "${VALIBOT}";
const never = () => new Promise(() => {});
export default defineSink({
  name: "moody",
  options: v.strictObject({ file: v.string("a file name"), bad: v.optional(v.string("a word"), "") }),
  open({ file, bad }, { folder }) {
    if (bad === "open") throw new Error("no way in");
    if (bad === "open later") return Promise.reject(new Error("no way in"));
    let n = 0;
    return {
      write(record) {
        appendFileSync(join(folder, file), JSON.stringify(record) + "\\n");
        if (++n < 5) return;
        if (bad === "write") throw new Error("bad mood");
        if (bad === "write later") return Promise.reject(new Error("bad mood"));
      },
      flush: () => bad === "flush" ? Promise.reject(new Error("no flush")) : bad === "hang" ? never() : undefined,
      close() {
        if (bad === "close") throw new Error("no end");
        return bad === "hang" ? never() : Promise.resolve();
      },
      dropped() { throw new Error("no count"); },
    };
  },
});
`;

function manifest(bad: string, strategy = "async", more: object = {}): Record<string, string> {
  const service = {
    plugin: pluginPath("probe"),
    listen: "tcp://127.0.0.1:0",
    options: { form: "commands" },
    concurrency: { strategy },
    log: ["moody", "json"],
  };
  const sinks = { moody: { type: "./moody.ts", file: "out", bad, ...more } };
  return {
    "moody.ts": SINK,
    "portico.json": JSON.stringify({ control: false, sinks, services: { a: service } }),
  };
}

describe("a sink of a plugin", () => {
  for (const strategy of ["async", "threads", "processes", "spawn"] as const) {
    test(`${strategy}: has all records once, as the others`, {
      skip: strategy !== "async" && lackingWorkers,
    }, async (t) => {
      const home = folder(t, manifest("", strategy));
      const server = await startServer(t, home);
      for (let n = 0; n < 3; n++) await askOnce(t, server.endpoint("a", "tcp"), "log 10");
      await server.stop();
      const found = readFileSync(join(home, "out"), "utf8").split("\n").slice(0, -1)
        .map((line) => JSON.parse(line));
      const inTime = (time: number): string => new Date(time).toISOString();
      assert.deepEqual(
        found.map(({ time, ...rest }) => ({ time: inTime(time), ...rest })),
        server.records,
      );
    });
  }

  for (const bad of ["write", "write later"]) {
    test(`that fails in ${bad} is switched off and reported once; the others have everything`, async (t) => {
      const server = await startServer(t, folder(t, manifest(bad)));
      for (let n = 0; n < 3; n++) await askOnce(t, server.endpoint("a", "tcp"), "log 10");
      await server.count(3, { event: "close" });
      await server.stop();
      const reports = server.all({ code: "SINK_FAILED" });
      assert.equal(reports.length, 1);
      assert.equal(reports[0]!["message"], "the sink moody is switched off: bad mood");
      assert.equal(server.all({ event: "log", text: "logged" }).length, 30);
      assert.equal(server.errors, "");
    });
  }

  for (
    const [bad, told] of [
      ["flush", /^$/],
      ["close", /^portico: the sink moody did not end well: no end\n$/],
      ["hang", /^$/],
    ] as const
  ) {
    test(`that fails in its end (${bad}) does not hold up that of the server`, async (t) => {
      const server = await startServer(t, folder(t, manifest(bad)));
      await askOnce(t, server.endpoint("a", "tcp"), "log 10");
      await server.stop();
      assert.match(server.errors, told);
      assert.equal(server.records.at(-1)!.event, "stop");
    });
  }

  for (const bad of ["open", "open later"]) {
    test(`that cannot ${bad} stops the start, unless it is optional`, async (t) => {
      const { code, block } = await failToStart(t, folder(t, manifest(bad)));
      assert.equal(code, 1);
      assert.match(block, /the sink moody cannot be opened: no way in/);
      const server = await startServer(t, folder(t, manifest(bad, "async", { optional: true })));
      await askOnce(t, server.endpoint("a", "tcp"), "log 10");
      await server.stop();
      assert.match(server.errors, /^portico: the sink moody is left out: .*no way in\n$/);
    });
  }
});
