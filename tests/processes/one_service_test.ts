/** `portico run --plugin …`: a service that is said in the call, without a file. */
import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { portico } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { askOnce, openUdp } from "../support/peers.ts";
import { get } from "../support/requests.ts";
import {
  pluginPath,
  type ServerProcess,
  type StartOptions,
  startServer,
} from "../support/server-process.ts";
import { lackingStrategy } from "../support/strategies.ts";

const TCP = "--listen=tcp://127.0.0.1:0";

async function run(
  t: TestContext,
  plugin: string,
  words: readonly string[],
  options: StartOptions = {},
): Promise<ServerProcess> {
  return await startServer(t, `--plugin=${plugin}`, { ...options, words });
}

describe("portico run --plugin", () => {
  test("serves a built-in plugin at every address, with its options, and leaves nothing behind", async (t) => {
    const cwd = folder(t, {});
    const words = [
      TCP,
      "--listen",
      "udp://127.0.0.1:0",
      "--listen=unix:./e.sock",
      "--set",
      "upper=true",
    ];
    const server = await run(t, "echo", words, { cwd });
    const udp = await openUdp(t);
    const answer = await udp.ask("hello", server.endpoint("echo", "udp"));
    assert.equal(new TextDecoder().decode(answer), "HELLO");
    for (const endpoint of [server.endpoint("echo", "tcp"), `unix:${join(cwd, "e.sock")}`]) {
      assert.equal(await askOnce(t, endpoint, "hello"), "HELLO");
    }
    assert.deepEqual(readdirSync(cwd), ["e.sock"]);
    await server.stop();
    assert.deepEqual(readdirSync(cwd), []);
  });

  test("--set says text, numbers, booleans, JSON and keys in keys, as the plugin's schema wants them", async (t) => {
    const said = [
      ...[
        "flag=true",
        "count=3",
        "token=12345",
        "list=[1, 2]",
        "deep.er=4",
        "deep.more=a=b",
        "more=${HOME}",
      ],
    ];
    const words = [TCP, ...said.flatMap((text) => ["--set", text])];
    const server = await run(t, pluginPath("words"), words);
    const answer = await askOnce(t, server.endpoint("words", "tcp"), "?");
    assert.deepEqual(JSON.parse(answer), {
      ...{ flag: true, count: 3, token: "12345", list: [1, 2], deep: { er: 4, more: "a=b" } },
      more: "${HOME}",
      scope: "service",
    });
    await server.stop();
  });

  test("--strategy has workers serve it", { skip: lackingStrategy("threads") }, async (t) => {
    const words = [TCP, "--set", "token=true", "--strategy", "threads"];
    const server = await run(t, pluginPath("words"), words);
    const answer = await askOnce(t, server.endpoint("words", "tcp"), "?");
    assert.deepEqual(JSON.parse(answer), { token: "true", scope: "worker" });
    await server.stop();
  });

  test("SIGHUP reads a plugin of the folder anew; its application may be a module with fetch", async (t) => {
    const app = (text: string) => `export default { fetch: () => new Response("${text}") };`;
    const cwd = folder(t, { "app.js": app("first") });
    const server = await run(t, "./app.js", ["--listen=http://127.0.0.1:0"], { cwd });
    const endpoint = server.endpoint("app", "http");
    assert.equal((await get(endpoint, "/")).text, "first");
    writeFileSync(join(cwd, "app.js"), app("second"));
    server.signal("SIGHUP");
    assert.deepEqual((await server.record({ event: "reload" }))["changed"], ["app"]);
    assert.equal((await get(endpoint, "/")).text, "second");
    await server.stop();
  });

  test(
    "--control is where ctl finds it, upgrade too",
    { skip: lackingStrategy("processes") },
    async (t) => {
      const cwd = folder(t, {});
      const control = join(cwd, "c");
      const words = [TCP, "--set=upper=true", "--control=./c"];
      const server = await run(t, "echo", words, { cwd });
      const ctl = async (...verb: string[]): Promise<string> => {
        const { code, out, err } = await portico("ctl", ...verb, "--socket", control, "--json");
        assert.equal(code, 0, err);
        return out;
      };
      const status = JSON.parse(await ctl("status"));
      assert.equal(status.manifest, join(cwd, "--plugin echo"));
      const endpoint = server.endpoint("echo", "tcp");
      assert.notEqual(Number(await ctl("upgrade")), server.pid);
      assert.equal(await server.exited(), 0);
      assert.equal(await askOnce(t, endpoint, "hello"), "HELLO");
      await ctl("stop");
      assert.deepEqual(readdirSync(cwd), []);
    },
  );
});

describe("portico check --plugin tells what is wrong by its word", () => {
  const plugin = "--plugin=echo";
  const cases: [string, readonly string[], RegExp][] = [
    [
      "an option's value",
      [plugin, TCP, "--set=upper=yes"],
      /rejects its options\n\n--set upper\n {2}received {2}"yes"/,
    ],
    ["a key that there is not", [plugin, TCP, "--set=uper=1"], /\n--set uper\n/],
    [
      "a key in a key",
      [plugin, TCP, "--set=upper.more=1"],
      /\n--set upper\n {2}received {2}\{"more":"1"\}/,
    ],
    [
      "a key twice",
      [plugin, TCP, "--set=a=1", "--set=a.b=1"],
      /received {2}--set a\.b=1\n {2}expected {2}each key once/,
    ],
    [
      "no value",
      [plugin, TCP, "--set=upper"],
      /received {2}--set upper\n {2}expected {2}--set KEY=VALUE/,
    ],
    ["no address", [plugin], /received {2}--plugin echo, and no --listen/],
    [
      "an address that is none",
      [plugin, "--listen=tcp:/a"],
      /\n--listen\n {2}received {2}"tcp:\/a"/,
    ],
    [
      "an address of another kind",
      [plugin, "--listen=http://127.0.0.1:0"],
      /\n--listen\n.*a http endpoint/,
    ],
    [
      "a plugin that there is not",
      ["--plugin=ehco", TCP],
      /\n--plugin ehco\n[^]*did you mean "echo"/,
    ],
    ["a sink that there is not", [plugin, TCP, "--log=nope"], /\n--log\n {2}received {2}"nope"/],
    ["a manifest beside it", [".", plugin, TCP], /received {2}--plugin and "\."/],
    ["options without a plugin", [TCP], /received {2}--listen ADDRESS without --plugin/],
  ];
  test("with exit code 2, and without a stack", async () => {
    await Promise.all(cases.map(async ([what, words, expected]) => {
      const { code, err } = await portico("check", ...words);
      assert.equal(code, 2, `${what}: ${err}`);
      assert.match(err, expected, what);
      assert.doesNotMatch(err, /^ +at |a bug in Portico/m, what);
    }));
  });
  test("and what is right", async () => {
    const { code, out } = await portico("check", plugin, TCP, "--set=upper=true", "--log=none");
    assert.equal(code, 0);
    assert.match(out, /ok +echo +plugin echo +strategy async/);
  });
});
