/** A plugin's mistakes, told to its author: at the start, at a reload, on a terminal and to programs. */
import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { portico } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { ManagedServer } from "../support/managed-server.ts";
import { lackingPrograms } from "../support/packages.ts";
import { askOnce, dial } from "../support/peers.ts";
import { lackingStrategy } from "../support/strategies.ts";
import { porticoOnTerminal, screen } from "../support/terminal.ts";

/** A plugin whose hooks are these, on the fourth line. */
const plugin = (hooks: string): string =>
  `export default {
  name: "p",
  transports: ["stream"],
  start: ${hooks},
};
`;

const manifest = (more: object = {}): string =>
  JSON.stringify({
    services: { s: { plugin: "./p.ts", listen: "unix:./s", ...more } },
  });

/** Written in its place at once, as editors do it. */
function replace(home: string, name: string, text: string): void {
  writeFileSync(join(home, `${name}~`), text);
  renameSync(join(home, `${name}~`), join(home, name));
}

/** What, what `start` is, what is said, where it is, and the hint. */
const STARTS: readonly (readonly [string, string, RegExp, string, string?])[] = [
  [
    "a hook with a slip of the hand",
    "() => ({ data() {}, finnish() {} })",
    /returned the unknown hook `finnish`/,
    "4:30",
    "did you mean `finish`?",
  ],
  [
    "none but a hook of other servers",
    "() => ({ onMessage() {} })",
    /returned none of the hooks data, handle/,
    "4:3",
    "it has `onMessage`: did you mean `data`?",
  ],
  [
    "nothing, for want of parentheses",
    "() => { data: () => {} }",
    /an object of hooks: received undefined/,
    "4:3",
    "start: () => ({ data(session, chunk) { … } }) has ( ) around its { }",
  ],
  [
    "a function",
    "() => () => {}",
    /an object of hooks: received a function/,
    "4:3",
    "start: () => ({ handle(session) { … } }) returns them by their names",
  ],
  ["a hook that is no function", "() => ({ data: 5 })", /hook `data` that is no function/, "4:19"],
  [
    "an error",
    '() => { throw new TypeError("no luck"); }',
    /failed: no luck/,
    "4:\\d+",
  ],
];

describe("a start", () => {
  for (const [index, [what, hooks, message, place, hint]] of STARTS.entries()) {
    // All are told in the same way, whoever starts the plugin: it takes time to have each of them twice.
    const strategies = index === 0
      ? ["async", "processes"]
      : index % 2 === 0
      ? ["processes"]
      : ["async"];
    for (const strategy of strategies) {
      test(`that returns ${what} is told with its place (${strategy})`, {
        skip: lackingStrategy(strategy as "async"),
      }, async (t) => {
        const concurrency = strategy === "async" ? "async" : { strategy, workers: 1 };
        const home = folder(t, {
          "portico.json": manifest({ concurrency }),
          "p.ts": plugin(hooks),
        });
        const { code, err } = await portico("run", home, "--json");
        const { error } = JSON.parse(err);
        assert.match(error.message, message);
        assert.equal(error.hint, hint);
        const { file, line, column } = error.source;
        assert.equal(file, join(home, "p.ts"));
        assert.match(`${line}:${column}`, new RegExp(`^${place}$`));
        assert.equal(code, error.code === "START_FAILED" ? 1 : 2);
      });
    }
  }

  test("names the line on the terminal, without JSON", async (t) => {
    const home = folder(t, { "portico.json": manifest(), "p.ts": plugin(STARTS[0]![1]) });
    const { code, err } = await portico("run", home);
    assert.equal(code, 2);
    assert.equal(
      err,
      `error: the module is no plugin\n\nservice "s": the start of plugin "p" returned the unknown hook \`finnish\`\ndid you mean \`finish\`?\nat ${
        join(home, "p.ts")
      }:4:30\n`,
    );
  });
});

test("a function that other servers would call is warned of; a helper is not", async (t) => {
  const managed = ManagedServer.prepare(t, { s: { plugin: "./p.ts", listen: "unix:./s" } });
  const hooks =
    '() => ({ data(s: any) { this.helper(s); }, helper(s: any) { s.write("1"); }, close() {} })';
  writeFileSync(join(managed.home, "p.ts"), plugin(hooks));
  await managed.start();
  const warnings = managed.process.all({ event: "log", level: "warn" });
  assert.deepEqual(warnings.map((record) => record["text"]), [
    "start has returned `close`, which is no hook: did you mean `finish`?",
  ]);
  await managed.process.stop();
});

test("a reload that fails is one block for whoever asked, and one record with fields", async (t) => {
  const managed = ManagedServer.prepare(t, { s: { plugin: "./p.ts", listen: "unix:./s" } });
  const good = 'import { kv } from "./kv.ts";\n' +
    plugin("() => ({ data(session: any) { session.write(kv + '\\n'); } })");
  writeFileSync(join(managed.home, "kv.ts"), 'export const kv = "one";\n');
  writeFileSync(join(managed.home, "p.ts"), good);
  await managed.start();
  const at = join(managed.home, "kv.ts");
  replace(managed.home, "kv.ts", 'export const kv = "two";\nthrow new Error("no\\nluck");\n');
  const { code, err } = await portico("ctl", "reload", "--socket", managed.control);
  assert.equal(code, 1);
  assert.match(
    err,
    new RegExp(
      `^error: the server refuses\n\n\\S+portico\\.json:1:\\d+ {2}services\\.s\\.plugin\n {2}received {2}"\\./p\\.ts"\n {2}expected {2}a module that can be imported\\. It failed at ${at}:2:\\d+: no\n$`,
    ),
  );
  const [record, ...more] = await managed.process.count(1, { event: "error", during: "reload" });
  assert.equal(more.length, 0);
  assert.match(record!["at"] as string, new RegExp(`^${at}:2:\\d+$`));
  const problem = record!["problem"] as Record<string, unknown>;
  assert.deepEqual([problem["path"], problem["received"]], ["services.s.plugin", '"./p.ts"']);
  assert.equal(await askOnce(t, `unix:${join(managed.home, "s")}`, "?"), "one");
  replace(managed.home, "kv.ts", 'export const kv = "two";\n');
  assert.deepEqual((await managed.reload()).changed, ["s"]);
  assert.equal(await askOnce(t, `unix:${join(managed.home, "s")}`, "?"), "two");
  await managed.process.stop();
});

describe("on a terminal", { skip: lackingPrograms("script") }, () => {
  test("--watch shows the code at fault at once, and the old one goes on", async (t) => {
    const home = folder(t, {
      "portico.json": manifest(),
      "kv.ts": 'export const kv = "one";\n',
      "p.ts": 'import { kv } from "./kv.ts";\n' +
        plugin(
          "() => ({ data(session: any, chunk: any) { if (chunk[0] === 33) throw new Error(kv); session.write(kv + '\\n'); } })",
        ),
    });
    const socket = `unix:${join(home, "s")}`;
    const terminal = porticoOnTerminal(t, home, "run", home, "--watch");
    const shout = async (): Promise<void> => {
      const peer = await dial(t, socket);
      peer.send("!");
      await peer.over();
    };
    const shows = (text: RegExp): Promise<void> =>
      terminal.when(String(text), () => text.test(screen(terminal)));
    await shows(/try: printf hello \| nc -U -q1 \S+/);
    assert.equal(await askOnce(t, socket, "?"), "one");
    replace(home, "kv.ts", 'export const kv = "two";\nexport const other = ;\n');
    await shows(
      /\n {4}received {2}"\.\/p\.ts"\n {4}expected {2}a module .*kv\.ts:2:\d+: .*\n {6}1 \| export const kv = "two";\n {4}> 2 \| export const other = ;\n {8}\| +\^\n/,
    );
    assert.doesNotMatch(screen(terminal), /\\n/);
    assert.equal(await askOnce(t, socket, "?"), "one");
    replace(home, "kv.ts", 'export const kv = "two";\n');
    await shows(/reload .*changed=\["s"\]/);
    assert.equal(await askOnce(t, socket, "?"), "two");
    // What is thrown in a session has its line, too; once.
    await shout();
    await shows(/HOOK_FAILED: two .*p\.ts:5:\d+\n[^\n]*\n[^\n]*\n {4}> 5 \| {3}start: .*\n/);
    await shout();
    await shows(/HOOK_FAILED[^]*HOOK_FAILED[^]*closed/);
    assert.equal(screen(terminal).split("> 5 |").length, 2);
    terminal.send("\x03");
    await terminal.ended();
  });

  test("an error that ends the start has the code, too", async (t) => {
    const home = folder(t, { "portico.json": manifest(), "p.ts": plugin(STARTS[0]![1]) });
    const terminal = porticoOnTerminal(t, home, "run", home);
    await terminal.ended();
    assert.match(
      screen(terminal),
      /at \S+p\.ts:4:30\n\n {4}2 \| {3}name: "p",\n {4}3 \| .*\n {2}> 4 \| .*finnish.*\n {6}\| +\^\n {4}5 \| \};\n/,
    );
  });
});
