import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { MemoryAdapter } from "../../adapters/memory/mod.ts";
import type { Plan } from "../../runtime/core/plan.ts";
import type { LogRecord } from "../../runtime/core/record.ts";
import { load } from "../../runtime/manifest/load.ts";
import { renderProblems } from "../../runtime/values/problem.ts";
import { ManifestError } from "../../runtime/values/problem.ts";
import { type OpenOutlet, openSinks, probeSink } from "../../runtime/sinks/mod.ts";
import { openModule } from "../../runtime/sinks/module.ts";
import { folder } from "../support/folder.ts";
import { expand, prepare } from "../support/manifest.ts";
import { turns } from "../support/until.ts";
import { record } from "./record.ts";

const mod = new URL("../../runtime/mod.ts", import.meta.url).href;
const valibot = import.meta.resolve("valibot");

/** Notes what it gets in a list that hangs on the global object, by its option `to`. */
const SINK = `
import { defineSink } from "${mod}";
import * as v from "${valibot}";
export default defineSink({
  name: "notes",
  options: v.strictObject({ to: v.string("a word"), late: v.optional(v.boolean(), false) }),
  open({ to, late }, { folder, warn }) {
    const list = (globalThis as any)[to] ??= [];
    list.push(folder);
    warn("opened");
    if (late) return { write: async () => { throw new Error("late"); }, close: async () => { throw new Error("end"); } };
    return (record) => void list.push(record);
  },
});
`;

async function plan(home: string): Promise<Plan> {
  const source = await load(home);
  const whole = expand(source);
  const services = await prepare(whole, source);
  return { ...whole, services: services.map(({ plan }) => plan) };
}

async function opened(home: string, told: string[] = []): Promise<OpenOutlet[]> {
  const { services } = await plan(home);
  const host = { adapter: new MemoryAdapter(), warn: (message: string) => void told.push(message) };
  return await openSinks(services[0]!.log, host);
}

/** What is wrong with a manifest, as it is told. */
async function problems(home: string): Promise<string> {
  try {
    await plan(home);
  } catch (error) {
    assert.ok(error instanceof ManifestError, String(error));
    return renderProblems(error.problems, { folder: home });
  }
  assert.fail("nothing was wrong");
}

const manifest = (log: unknown, more: object = {}): string =>
  JSON.stringify({
    ...more,
    services: { a: { plugin: "echo", listen: "tcp://127.0.0.1:0", log } },
  });

describe("defineSink", () => {
  test("a sink that never opens keeps no server from saying so", async (t) => {
    const code = 'export default { name: "slow", open: () => new Promise(() => {}) };';
    const home = folder(t, { "slow.js": code });
    const module = { url: pathToFileURL(join(home, "slow.js")).href, folder: home };
    await assert.rejects(openModule(module, "slow", {}, () => {}, 20), {
      code: "SINK_FAILED",
      message: "the sink slow cannot be opened: open did not come back within 20 ms",
    });
  });

  const ways: [string, unknown, object][] = [
    ["a path", { type: "./notes.ts", to: "path" }, {}],
    ["a short name", { type: "short", to: "short" }, { plugins: { short: "./notes.ts" } }],
    ["a declared name", "mine", { sinks: { mine: { type: "./notes.ts", to: "declared" } } }],
    ["a declared name with policies", { type: "mine", events: ["close"] }, {
      sinks: { mine: { type: "./notes.ts", to: "policies" } },
    }],
  ];
  for (const [index, [name, log, more]] of ways.entries()) {
    test(`a sink of a plugin is found by ${name}`, async (t) => {
      const home = folder(t, { "notes.ts": SINK, "portico.json": manifest(log, more) });
      const told: string[] = [];
      const [outlet] = await opened(home, told);
      outlet!.sink.write(record({ n: index }));
      const to = ["path", "short", "declared", "policies"][index]!;
      const list = (globalThis as unknown as Record<string, unknown[]>)[to]!;
      assert.deepEqual(list, [home, record({ n: index })]);
      assert.deepEqual(told, ["opened"]);
    });
  }

  test("a write whose promise fails switches the sink off, and rejects nowhere", async (t) => {
    const log = { type: "./notes.ts", to: "late", late: true };
    const home = folder(t, { "notes.ts": SINK, "portico.json": manifest(log) });
    const told: string[] = [];
    const [outlet] = await opened(home, told);
    outlet!.sink.write(record());
    await turns();
    assert.throws(() => outlet!.sink.write(record()), /late/);
    await outlet!.base.close!();
    assert.deepEqual(
      told,
      ["opened", "the sink notes.ts did not end well: end"].map((text) =>
        text.replace("notes.ts", "./notes.ts")
      ),
    );
  });

  test("its schema's problems have their place, where it is declared", async (t) => {
    const log = ["mine", { type: "mine", level: "warn" }];
    const home = folder(t, {
      "notes.ts": SINK,
      "portico.json": manifest(log, { sinks: { mine: { type: "./notes.ts", to: 7 } } }),
    });
    const text = await problems(home);
    assert.match(text, /sinks\.mine\.to\n {2}received {2}7\n {2}expected {2}a word$/);
  });

  const wrong: [string, string, RegExp][] = [
    ["no default export", "export const a = 1;", /expected {2}a default export: .*defineSink/],
    ["a plugin", `export default { name: "x", transports: [], start() {} }`, /plugin x is no sink/],
    ["no open", `export default { name: "x" }`, /"open" is a function; it has nothing/],
    ["a module that throws", `throw new Error("bang")`, /can be imported.*bang/],
    ["options that it takes none of", `export default { name: "x", open() {} }`, /no options/],
  ];
  for (const [name, source, expected] of wrong) {
    test(`refused: ${name}`, async (t) => {
      const log = { type: "./bad.ts", more: 1 };
      const home = folder(t, { "bad.ts": source, "portico.json": manifest(log) });
      const text = await problems(home);
      assert.match(text, /^portico\.json:1:\d+ {2}services\.a\.log/);
      assert.match(text, expected);
    });
  }

  test("what open throws, or gives back wrongly, names the sink", async (t) => {
    const bodies = [`throw new Error("no way")`, `return 7`];
    for (const [index, body] of bodies.entries()) {
      const home = folder(t, {
        "bad.ts": `export default { name: "x", open() { ${body} } }`,
        "portico.json": manifest({ type: "./bad.ts" }),
      });
      await assert.rejects(opened(home), {
        code: "SINK_FAILED",
        side: "config",
        message: [
          "the sink ./bad.ts cannot be opened: no way",
          "the sink ./bad.ts cannot be opened: open has to return a function, or an object with write; it gave 7",
        ][index]!,
      });
    }
  });
});

describe("logtape", () => {
  const configuration = `
import { configure } from "${import.meta.resolve("@logtape/logtape")}";
await configure({
  sinks: { list: (record) => void ((globalThis as any).tape ??= []).push(record) },
  loggers: [
    { category: ["portico"], sinks: ["list"], lowestLevel: "trace" },
    { category: ["logtape", "meta"], sinks: [] },
  ],
});
`;

  test("records reach LogTape's sinks, with level, category, words and fields", async (t) => {
    const home = folder(t, {
      "tape.ts": configuration,
      "portico.json": manifest({ type: "logtape", configure: "./tape.ts", level: "debug" }),
    });
    const told: string[] = [];
    const [outlet] = await opened(home, told);
    const levels = ["debug", "info", "warn", "error"] as const;
    for (const level of levels) {
      outlet!.sink.write(record({ level, service: "a", session: 7, text: `a ${level}`, n: 1 }));
    }
    outlet!.sink.write(record({ event: "ready" }));
    const tape = (globalThis as unknown as { tape: LogTapeRecord[] }).tape;
    assert.deepEqual(told, []);
    assert.deepEqual(tape.map(({ level }) => level), ["debug", "info", "warning", "error", "info"]);
    assert.deepEqual(tape.map(({ category }) => category.join(".")).slice(3), [
      "portico.a",
      "portico",
    ]);
    const { message, properties, timestamp } = tape[1]!;
    assert.deepEqual(message, ["#7 a info n=1"]);
    assert.deepEqual(properties, { event: "log", service: "a", session: 7, text: "a info", n: 1 });
    assert.equal(timestamp, record().time);
  });

  test("a configuration that fails stops the start, and says which", async (t) => {
    const home = folder(t, {
      "tape.ts": `throw new Error("no tape")`,
      "portico.json": manifest({ type: "logtape", configure: "./tape.ts" }),
    });
    await assert.rejects(opened(home), {
      code: "SINK_FAILED",
      message: `LogTape cannot be configured: ${join(home, "tape.ts")} failed: no tape`,
    });
  });
});

test("a module that would configure LogTape is looked for without opening the sink", (t) => {
  const home = folder(t, { "tape.ts": "" });
  const probe = (name: string) =>
    probeSink({ type: "logtape", options: { category: ["a"], configure: join(home, name) } });
  assert.equal(probe("tape.ts"), true);
  const found = probe("no.ts");
  assert.match(found === true ? "" : found.reason, /ENOENT.*no\.ts/);
});

interface LogTapeRecord {
  readonly level: string;
  readonly category: readonly string[];
  readonly message: readonly unknown[];
  readonly properties: Partial<LogRecord>;
  readonly timestamp: number;
}
