/** A server goes where the links lead that it was started by, and lies in folders of any name. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { portico } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { askOnce } from "../support/peers.ts";
import type { Scope } from "../support/scope.ts";
import { ServerProcess } from "../support/server-process.ts";

/** A plugin in two files, and a sink; by what each says. */
const release = (word: string, helper: string): Readonly<Record<string, string>> => ({
  "own.js": `import { helper } from "./lib/helper.js";
export default { name: "own", transports: ["stream"], start: () => ({
  data: (session) => session.write("${word} " + helper + "\\n"),
}) };`,
  "lib/helper.js": `export const helper = "${helper}";`,
  "old.cjs": `module.exports = { name: "old", transports: ["stream"], start: () => ({
  data: (session) => session.write("${word} of old\\n"),
}) };`,
  "other.js":
    `export default { name: "other", transports: ["stream"], start: () => ({ data() {} }) };`,
});

function write(home: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(home, name)), { recursive: true });
    writeFileSync(join(home, name), text);
  }
}

function lead(link: string, to: string): void {
  symlinkSync(to, `${link}.next`);
  renameSync(`${link}.next`, link);
}

function manifest(home: string): string {
  const service = (plugin: string, name: string, strategy: string) => ({
    plugin,
    listen: `unix:${join(home, name)}`,
    concurrency: strategy === "async" ? "async" : { strategy, workers: 1 },
  });
  return JSON.stringify({
    defaults: { log: { type: "json", level: "debug" } },
    services: {
      a: service("./own.js", "a", "async"),
      t: service("./own.js", "t", "threads"),
      p: service("./own.js", "p", "processes"),
      o: service("./old.cjs", "o", "async"),
      x: service("./other.js", "x", "async"),
    },
  });
}

async function start(t: Scope, path: string, ...words: readonly string[]): Promise<ServerProcess> {
  const server = new ServerProcess(path, { words });
  t.after(() => server.kill());
  await server.record("ready");
  return server;
}

test("a release that a link is led to is what a reload loads, by the path that is known", async (t) => {
  const home = folder(t, {});
  const put = (name: string, word: string, helper: string): void =>
    write(join(home, "releases", name), {
      ...release(word, helper),
      "portico.json": manifest(home),
    });
  const told = async (): Promise<string[]> =>
    await Promise.all(
      ["a", "t", "p", "o"].map((name) => askOnce(t, `unix:${join(home, name)}`, "?")),
    );
  const path = join(home, "current/portico.json");
  put("1", "one", "first");
  lead(join(home, "current"), "releases/1");
  const server = await start(t, path);
  assert.deepEqual(await told(), ["one first", "one first", "one first", "one of old"]);
  const releases: [string, string, string[], string[]][] = [
    ["two", "second", ["a", "t", "p", "o"], ["x"]],
    ["two", "third", ["a", "t", "p"], ["o", "x"]],
    ["two", "third", [], ["a", "t", "p", "o", "x"]],
    ["one", "first", ["a", "t", "p", "o"], ["x"]],
  ];
  for (const [index, [word, helper, changed, unchanged]] of releases.entries()) {
    put(String(index + 2), word, helper);
    lead(join(home, "current"), `releases/${index + 2}`);
    rmSync(join(home, `releases/${index + 1}`), { recursive: true });
    const { code, err } = await portico("ctl", "reload", "--manifest", path);
    assert.equal(code, 0, err);
    const record = await server.record("reload", index + 1);
    assert.deepEqual([record["changed"], record["unchanged"]], [changed, unchanged]);
    const own = `${word} ${helper}`;
    assert.deepEqual(await told(), [own, own, own, `${word} of old`]);
  }
  await server.stop();
});

test("--watch sees a ConfigMap of Kubernetes that is updated", async (t) => {
  const home = folder(t, {});
  const mount = join(home, "mount");
  const files = (word: string): Readonly<Record<string, string>> => {
    const { "old.cjs": old, "other.js": other } = release(word, "");
    return { "old.cjs": old!, "other.js": other! };
  };
  const services = {
    o: { plugin: "./old.cjs", listen: `unix:${join(home, "o")}` },
    x: { plugin: "./other.js", listen: `unix:${join(home, "x")}` },
  };
  const whole = JSON.stringify({ defaults: { log: "json" }, services });
  write(join(mount, "..2026_1"), { ...files("one"), "portico.json": whole });
  lead(join(mount, "..data"), "..2026_1");
  for (const name of ["old.cjs", "other.js", "portico.json"]) {
    symlinkSync(`..data/${name}`, join(mount, name));
  }
  const server = await start(t, join(mount, "portico.json"), "--watch");
  const told = (): Promise<string> => askOnce(t, services.o.listen, "?");
  assert.equal(await told(), "one of old");
  for (const [index, word] of ["two", "three"].entries()) {
    write(join(mount, `..2026_${index + 2}`), { ...files(word), "portico.json": whole });
    lead(join(mount, "..data"), `..2026_${index + 2}`);
    rmSync(join(mount, `..2026_${index + 1}`), { recursive: true });
    const { changed, unchanged } = await server.record("reload", index + 1);
    assert.deepEqual([changed, unchanged], [["o"], ["x"]]);
    assert.equal(await told(), `${word} of old`);
  }
  await server.stop();
});

for (const name of ["c# app", "100%", "a?b"]) {
  test(`services, sinks and a manifest in a folder ${JSON.stringify(name)} start and reload`, async (t) => {
    // Their sockets lie elsewhere: a "?" is no part of an address.
    const home = folder(t, {});
    const place = join(home, name);
    const put = (word: string): void => {
      const { services } = JSON.parse(manifest(home));
      services.a.log = [{ type: "json" }, { type: "./sink.cjs", level: "debug" }];
      const sink = `exports.__esModule = true;
exports.default = { name: "own", open: () => ({
  write: ({ event }) => require("node:fs").appendFileSync(${
        JSON.stringify(join(home, "log"))
      }, "${word} " + event + "\\n"),
}) };`;
      const text = JSON.stringify({ defaults: { log: "json" }, services });
      write(place, {
        ...release(word, "helped"),
        "sink.cjs": sink,
        "portico.ts": `export default ${text};`,
      });
    };
    const told = async (): Promise<string[]> =>
      await Promise.all(
        ["a", "t", "p", "o"].map((one) => askOnce(t, `unix:${join(home, one)}`, "?")),
      );
    put("one");
    const server = await start(t, place);
    assert.deepEqual(await told(), ["one helped", "one helped", "one helped", "one of old"]);
    for (const [index, word] of ["two", "three"].entries()) {
      put(word);
      server.signal("SIGHUP");
      const { changed } = await server.record("reload", index + 1);
      assert.deepEqual(changed, ["a", "t", "p", "o"]);
      const own = `${word} helped`;
      assert.deepEqual(await told(), [own, own, own, `${word} of old`]);
    }
    await server.stop();
    const records = readFileSync(join(home, "log"), "utf8");
    for (const word of ["one", "two", "three"]) {
      assert.match(records, new RegExp(`^${word} open$`, "m"));
    }
  });
}
