/** The logtape sink with the real LogTape, in servers that run. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { folder } from "../support/folder.ts";
import { askOnce } from "../support/peers.ts";
import type { Scope } from "../support/scope.ts";
import { pluginPath, type ServerProcess, startServer } from "../support/server-process.ts";
import { lackingWorkers, SAMPLE } from "../support/strategies.ts";
import { until } from "../support/until.ts";

const LOGTAPE = import.meta.resolve("@logtape/logtape");

/** What LogTape gave its sinks, a line each: all at once, and warnings of `quiet` at the end alone. */
const CONFIGURE = `
import { appendFileSync } from "node:fs";
import { configure, withFilter } from "${LOGTAPE}";
const line = ({ category, level, message, properties, timestamp }) =>
  JSON.stringify({ category, level, message, properties, timestamp }) + "\\n";
const file = (name) => new URL(name, import.meta.url);
const prompt = (record) => appendFileSync(file("prompt.log"), line(record));
const held = [];
const late = (record) => void held.push(line(record));
late[Symbol.asyncDispose] = async () => {
  await new Promise((resolve) => setTimeout(resolve, 50));
  appendFileSync(file("late.log"), held.splice(0).join(""));
};
await configure({
  sinks: { prompt, late },
  loggers: [
    { category: ["shop"], sinks: ["prompt"], lowestLevel: "info" },
    { category: ["shop", "quiet"], sinks: ["late"], parentSinks: "override", lowestLevel: "warning" },
    { category: ["shop", "held"], sinks: ["late"], lowestLevel: "info" },
    { category: ["logtape", "meta"], sinks: [] },
  ],
});
`;

interface Taped {
  readonly category: readonly string[];
  readonly level: string;
  readonly message: readonly string[];
  readonly properties: Readonly<Record<string, unknown>>;
  readonly timestamp: number;
}

function read(home: string, name: string): Taped[] {
  const path = join(home, name);
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8").split("\n").slice(0, -1).map((line) => JSON.parse(line));
}

async function say(
  scope: Scope,
  server: ServerProcess,
  service: string,
  line: string,
): Promise<void> {
  // A reload may have opened another one.
  const { endpoint } = server.all({ event: "listening", service }).at(-1)!;
  await askOnce(scope, String(endpoint), line);
}

const LOG = ["json", {
  type: "logtape",
  category: ["shop"],
  configure: "./tape.ts",
  level: "debug",
}];

function manifest(strategy: string, log: unknown = LOG): string {
  const service = {
    plugin: pluginPath("probe"),
    listen: "tcp://127.0.0.1:0",
    options: { form: "commands" },
    concurrency: { strategy },
    log,
  };
  return JSON.stringify({
    control: false,
    services: { loud: service, quiet: service, held: service },
  });
}

describe("logtape", () => {
  for (const strategy of SAMPLE.filter((one) => one !== "serial")) {
    test(
      `${strategy}: categories and levels decide, and what a sink holds back is written at the end`,
      {
        skip: strategy !== "async" && lackingWorkers,
      },
      async (t) => {
        const home = folder(t, { "tape.ts": CONFIGURE, "portico.json": manifest(strategy) });
        const server = await startServer(t, home);
        for (const service of ["loud", "quiet", "held"]) await say(t, server, service, "log 3");
        await server.count(3, { event: "close" });
        await server.stop();
        assert.equal(server.errors, "");
        const [prompt, late] = [read(home, "prompt.log"), read(home, "late.log")];
        const of = (list: Taped[], service: string): Taped[] =>
          list.filter(({ category }) => category[1] === service);
        assert.deepEqual(
          of(prompt, "loud").map(({ properties }) => properties["number"] ?? properties["event"]),
          ["listening", "open", "log", 1, 2, 3, "log", "close"],
        );
        assert.equal(of(prompt, "quiet").length, 0);
        assert.equal(of(late, "quiet").length, 0);
        // Its own sink, and that of its parent.
        assert.deepEqual(of(late, "held"), of(prompt, "held"));
        assert.equal(of(late, "held").length, of(prompt, "loud").length);
        const [numbered] = of(prompt, "loud").filter(({ properties }) =>
          properties["number"] === 2
        );
        const { level, message, properties, timestamp } = numbered!;
        const record = server.records.find((one) => one["number"] === 2 && one.service === "loud")!;
        const { time, level: _, ...rest } = record;
        assert.deepEqual(properties, rest);
        assert.deepEqual([level, message, timestamp], [
          "info",
          [`#${record.session} logged number=2`],
          Date.parse(time),
        ]);
        assert.equal(prompt.at(-1)!.properties["event"], "stop");
      },
    );
  }

  test("a reload that takes it away has it write, and one that brings it back configures it anew", async (t) => {
    const home = folder(t, { "tape.ts": CONFIGURE, "portico.json": manifest("async") });
    const server = await startServer(t, home);
    const change = async (log: unknown, count: number): Promise<void> => {
      writeFileSync(join(home, "portico.json"), manifest("async", log));
      server.signal("SIGHUP");
      await server.count(count, { event: "reload" });
    };
    await say(t, server, "held", "log 1");
    await server.count(1, { event: "close" });
    await change("json", 1);
    await until("what was held back", () => read(home, "late.log").length > 0);
    const before = read(home, "late.log").length;
    await say(t, server, "held", "log 1");
    await change(LOG, 2);
    await say(t, server, "held", "log 1");
    await server.count(3, { event: "close" });
    await server.stop();
    const after = read(home, "late.log").slice(before);
    assert.deepEqual(
      after.filter(({ properties }) => properties["number"] === 1).map(({ properties }) =>
        properties["session"]
      ),
      [3],
    );
    assert.equal(server.errors, "");
  });
});
