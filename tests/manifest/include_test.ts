/** `includedir`: services in files of their own. */
import assert from "node:assert/strict";
import { chmodSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { load } from "../../runtime/manifest/load.ts";
import { folder } from "../support/folder.ts";
import { expand } from "../support/manifest.ts";
import { blockOf } from "./errors.ts";

const echo = (port: number): string => `{ "plugin": "echo", "listen": "tcp://127.0.0.1:${port}" }`;
const MAIN = '{ "includedir": "./services.d" }';

test("each file is a service of its name, or has several", async (t) => {
  const home = folder(t, {
    "portico.jsonc": `{ "includedir": ["./services.d", "more"], "services": { "own": ${
      echo(7001)
    } } }`,
    "services.d/b.json": echo(7003),
    "services.d/a.jsonc": `{ "services": { "z": ${echo(7004)}, "y": ${echo(7005)}, }, } // both`,
    "services.d/B.json": `{ "$schema": "x", ${echo(7006).slice(1)}`,
    "more/c.json": echo(7007),
  });
  const { services } = expand(await load(home));
  assert.deepEqual(services.map(({ name }) => name), ["own", "B", "z", "y", "b", "c"]);
});

test("what editors and package managers leave does not count, nor do folders", async (t) => {
  const names = [
    ...[
      ".hidden.json",
      "a.json~",
      "b.json.rpmsave",
      "c.json.dpkg-old",
      "d.json.disabled",
      "README",
    ],
    ...["e.ts", "#f.json#", "g.json.swp"],
  ];
  const home = folder(t, {
    "portico.json": MAIN,
    ...Object.fromEntries(names.map((name) => [`services.d/${name}`, "no manifest"])),
    "services.d/inner.json/x.json": "no manifest",
    "services.d/real.json": echo(7003),
  });
  const { services } = expand(await load(home));
  assert.deepEqual(services.map(({ name }) => name), ["real"]);
});

test("relative paths start at the folder of the file that says them", async (t) => {
  const home = folder(t, {
    "portico.json": `{ "includedir": "services.d",
      "plugins": { "short": "./main.ts" },
      "sinks": { "main": { "type": "file", "path": "main.log" } } }`,
    "services.d/one.json": `{ "plugin": "./own.ts", "listen": "unix:./one.sock",
      "access": { "allow": ["file:rules"] }, "log": ["main", { "type": "file", "path": "own.log" }] }`,
    "services.d/two.json": `{ "plugin": "short", "listen": "tcp://127.0.0.1:7001" }`,
    "services.d/rules": "10.0.0.1\n",
    "services.d/own.ts": "",
    "main.ts": "",
  });
  const [one, two] = expand(await load(home)).services;
  const at = (...path: string[]): string => join(home, ...path);
  assert.equal(one!.plugin.url, `file://${at("services.d", "own.ts")}`);
  assert.equal(two!.plugin.url, `file://${at("main.ts")}`);
  assert.equal((one!.listen[0]!.endpoint as { path: string }).path, at("services.d", "one.sock"));
  assert.deepEqual(one!.log.map(({ options }) => options["path"]), [
    at("main.log"),
    at("services.d", "own.log"),
  ]);
  assert.deepEqual([one!.folder, two!.folder], [at("services.d"), at("services.d")]);
  assert.deepEqual(one!.access.rules.map(({ subject, place }) => [subject, place]), [
    ["10.0.0.1", "rules:1"],
  ]);
});

test("variables are put in, of the folder too; rules are told by their file", async (t) => {
  const home = folder(t, {
    "portico.json": '{ "includedir": "${WHERE:-nowhere}" }',
    "there/one.json":
      `{ "plugin": "echo", "listen": "tcp://127.0.0.1:\${PORT}",\n "access": { "allow": ["10.0.0.1"] } }`,
  });
  const { services } = expand(await load(home, { WHERE: "there", PORT: "7001" }));
  assert.equal(services[0]!.listen[0]!.text, "tcp://127.0.0.1:7001");
  assert.equal(services[0]!.access.rules[0]!.place, "there/one.json:2:24");
});

test("a manifest that is a module includes them, too", async (t) => {
  const home = folder(t, {
    "portico.ts": `export default { includedir: "./services.d", services: { own: ${
      echo(7001)
    } } };`,
    "services.d/one.json": echo(7002),
  });
  const { services } = expand(await load(home));
  assert.deepEqual(services.map(({ name }) => name), ["own", "one"]);
});

/** A main file, others, and the block of what is wrong. */
const WRONG: readonly (readonly [string, Record<string, string>, string])[] = [
  [
    "a value in another file is told with its file and line",
    {
      "portico.json": MAIN,
      "services.d/one.json":
        `{ "plugin": "echo",\n  "listen": "tcp://127.0.0.1:7001",\n  "limits": { "idle": "x" } }`,
    },
    'services.d/one.json:3:23  services.one.limits.idle\n  received  "x"',
  ],
  [
    "so are unknown keys, in the order of the files",
    {
      "portico.json":
        `{ "includedir": "services.d", "services": { "own": { "plugin": "echo", "lisen": 1 } } }`,
      "services.d/b.json": `{ "plugin": "echo", "listen": "tcp://127.0.0.1:7001", "x": 1 }`,
      "services.d/a.json":
        `{ "services": { "two": { "plugin": "echo",\n "listen": "tcp://127.0.0.1:7002", "y": 1 } } }`,
    },
    "services.d/a.json:2:36  services.two.y",
  ],
  [
    "a name a second time names both places",
    {
      "portico.json": `{ "includedir": "services.d",\n  "services": { "one": ${echo(7001)} } }`,
      "services.d/one.json": echo(7002),
    },
    `services.d/one.json:1:1\n  received  the service "one" a second time\n  expected  each name once: portico.json:2:17 has it already`,
  ],
  [
    "so does one in two files",
    {
      "portico.json": MAIN,
      "services.d/a.json": `{ "services": { "b": ${echo(7001)} } }`,
      "services.d/b.json": echo(7002),
    },
    `services.d/b.json:1:1\n  received  the service "b" a second time\n  expected  each name once: services.d/a.json:1:17 has it already`,
  ],
  [
    "an address in two files names both places",
    { "portico.json": MAIN, "services.d/a.json": echo(7001), "services.d/b.json": echo(7001) },
    `services.d/b.json:1:31  services.b.listen\n  received  "tcp://127.0.0.1:7001" a second time\n  expected  each endpoint once: services.a has it already (services.d/a.json:1:31)`,
  ],
  [
    "a folder that is not there",
    { "portico.json": '{ "services": {},\n  "includedir": "./servces.d" }' },
    `portico.json:2:17  includedir\n  received  "servces.d": there is none\n  expected  a folder that can be read`,
  ],
  [
    "no folder at all",
    { "portico.json": '{ "services": {}, "includedir": 3 }' },
    `portico.json:1:33  includedir\n  received  3\n  expected  the path of a folder`,
  ],
  [
    "an empty folder",
    { "portico.json": MAIN, "services.d/README": "" },
    `portico.json:1:1  services\n  received  {}`,
  ],
  [
    "a syntax error",
    { "portico.json": MAIN, "services.d/a.json": '{ "plugin": "echo" "listen": 1 }' },
    "services.d/a.json:1:20",
  ],
  [
    "what is no object",
    { "portico.json": MAIN, "services.d/a.json": "[1]" },
    `services.d/a.json:1:1\n  received  [1]\n  expected  a service: { "plugin": …, "listen": … }`,
  ],
  [
    "other keys beside services, includedir among them",
    {
      "portico.json": MAIN,
      "services.d/a.json": `{ "services": { "a": ${
        echo(7001)
      } },\n  "includedir": ".", "sinks": {} }`,
    },
    `services.d/a.json:2:3  includedir\n  received  the key "includedir" beside "services"\n  expected  services alone`,
  ],
  [
    "a file that includes as a service",
    { "portico.json": MAIN, "services.d/a.json": `{ "includedir": "." }` },
    `services.d/a.json:1:3  services.a.includedir`,
  ],
  [
    "the name of a file that is none of a service",
    { "portico.json": MAIN, "services.d/my service.json": echo(7001) },
    `services.d/my service.json:1:1  services["my service"]\n  received  the name "my service"`,
  ],
  [
    "a variable that is not set, in another file",
    { "portico.json": MAIN, "services.d/a.json": '{ "plugin": "echo",\n"listen": "${NOT_SET}" }' },
    "services.d/a.json:2:11  services.a.listen",
  ],
  [
    "a plugin that is not there, beside the file",
    {
      "portico.json": MAIN,
      "services.d/a.json": '{ "plugin": "./a.ts", "listen": "tcp://127.0.0.1:7001" }',
    },
    `services.d/a.json:1:13  services.a.plugin\n  received  "./a.ts", and HOME/services.d/a.ts does not exist`,
  ],
];
for (const [what, files, block] of WRONG) {
  test(`refuses: ${what}`, async (t) => {
    const text = await blockOf(t, files);
    assert.ok(text.includes(block), text);
  });
}

test("a link that leads nowhere, or round in a circle, cannot be read", async (t) => {
  const home = folder(t, { "portico.json": MAIN, "services.d/real.json": echo(7001) });
  symlinkSync("circle.json", join(home, "services.d/circle.json"));
  symlinkSync("gone", join(home, "services.d/loose.json"));
  await assert.rejects(load(home), (error: Error) => {
    assert.match(error.message, /services\.d\/circle\.json\n +received .*ELOOP/);
    assert.match(error.message, /services\.d\/loose\.json\n +received .*ENOENT/);
    return true;
  });
});

test("a file without the permission to read it", {
  skip: process.getuid?.() === 0 && "root may read it",
}, async (t) => {
  const home = folder(t, { "portico.json": MAIN, "services.d/a.json": echo(7001) });
  chmodSync(join(home, "services.d/a.json"), 0);
  await assert.rejects(load(home), /a\.json\n +received +no permission to read it/);
});
