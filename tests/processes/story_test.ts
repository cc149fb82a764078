/**
 * What an author goes through, outside this tree and without a network: install Portico, make a plugin,
 * test it, pack it, install both elsewhere, run it by its name, talk to it, reload it, stop it.
 *
 * What npm installs beside the tarballs is copied from this tree's node_modules; npm is told to ask nobody.
 */
import assert from "node:assert/strict";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import type { CommandResult } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import {
  inFolder,
  install,
  INSTALLED_ON,
  npm,
  pack,
  type Packed,
  provide,
  sourceTree,
} from "../support/package.ts";
import { askOnce } from "../support/peers.ts";
import { Shared } from "../support/scope.ts";
import { ServerProcess } from "../support/server-process.ts";

type Line = readonly [string, ...string[]];

/** How an author runs the tests on each runtime. */
const TESTS: Readonly<Record<string, readonly string[]>> = {
  node: ["--test"],
  node24: ["--test"],
  bun: ["test"],
  deno: ["test", "-A"],
};
/** What a new project's package.json asks for, beside Portico. */
const LIBRARIES = ["@types/node", "oxlint", "typescript", "valibot", "hono"];

const shared = new Shared();
let packed: Packed;
/** Where `portico` is installed to make projects with. */
let home: string;
/** A folder whose node_modules suits every project. */
let stocked: string;
let installed: number;

/** The installed command, on a runtime. */
function portico(runtime: string, where: string, ...words: readonly string[]): Line {
  const [program, ...flags] = INSTALLED_ON[runtime]!;
  return [program, ...flags, join(where, "node_modules/portico/dist/runtime/main.js"), ...words];
}

/** Runs a command that has to succeed. */
async function succeed(cwd: string, line: Line): Promise<CommandResult> {
  const result = await inFolder(cwd, line);
  assert.equal(result.code, 0, `${line.join(" ")}\n${result.out}${result.err}`);
  return result;
}

const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;

before(async () => {
  packed = await pack(sourceTree(shared));
  home = folder(shared, {});
  const started = performance.now();
  await install(home, packed.path);
  installed = performance.now() - started;
  stocked = folder(shared, { "package.json": "{}" });
  await install(stocked, packed.path);
  provide(stocked, LIBRARIES);
});
after(() => shared.close());

describe("from an empty folder to a plugin that others run", { concurrency: 2 }, () => {
  for (const name of Object.keys(INSTALLED_ON)) {
    test(`on ${name}`, async (t) => {
      await story(t, name);
    });
  }
});

async function story(t: TestContext, runtime: string): Promise<void> {
  const began = performance.now();
  const work = folder(t, {});
  const name = "@story/portico-plugin-greeter";
  const words = ["new", "plugin", name, "--registry", "both", "--holder", "The story", "--json"];
  const told = await succeed(work, portico(runtime, home, ...words));
  const { folder: project, next } = JSON.parse(told.out);
  assert.equal(project, join(work, "portico-plugin-greeter"));
  assert.equal(next.length, 4, "portico itself comes from the registry");
  provide(project, LIBRARIES);
  await install(project, "--no-save", packed.path);
  await succeed(project, [INSTALLED_ON[runtime]![0], ...TESTS[runtime]!]);
  t.diagnostic?.(`${runtime}: ${seconds(began)} from new to green, with npm install`);
  await succeed(project, portico(runtime, project, "check"));

  const plugin = await pack(project);
  assert.deepEqual(
    plugin.files.map(({ path }) => path).sort(),
    ["LICENSE", "README.md", "dist/mod.d.ts", "dist/mod.js", "package.json"],
  );
  const greeting = (greeting: string): string =>
    JSON.stringify({
      control: "unix:./control.sock",
      services: {
        greeter: {
          ...{ plugin: name, options: { greeting } },
          ...{ listen: ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"], concurrency: "async" },
        },
      },
      defaults: { log: "json" },
    });
  const server = folder(t, {
    "package.json": JSON.stringify({ name: "server", private: true }),
    "portico.json": greeting("Hello"),
  });
  await install(server, packed.path, plugin.path);
  const checked = await succeed(server, portico(runtime, server, "check"));
  assert.match(checked.out, /package @story\/portico-plugin-greeter 0\.1\.0$/m, "nothing lacks");
  const process = new ServerProcess(server, { cwd: server, portico: portico(runtime, server) });
  t.after(() => process.kill());
  await process.record({ event: "ready" });
  const address = process.endpoint("greeter", "tcp");
  assert.equal(await askOnce(t, address, "world"), "Hello, world!");
  writeFileSync(join(server, "portico.json"), greeting("Good evening"));
  await succeed(server, portico(runtime, server, "ctl", "reload"));
  assert.equal(await askOnce(t, address, "world"), "Good evening, world!");
  await succeed(server, portico(runtime, server, "ctl", "stop"));
  assert.equal(await process.exited(), 0);
}

test("from npm install to the first echo", async (t) => {
  const began = performance.now();
  writeFileSync(
    join(home, "portico.json"),
    JSON.stringify({
      defaults: { log: "json" },
      services: { echo: { plugin: "echo", listen: "tcp://127.0.0.1:0" } },
    }),
  );
  const server = new ServerProcess(home, { cwd: home, portico: portico("node", home) });
  t.after(() => server.kill());
  await server.record({ event: "ready" });
  assert.equal(await askOnce(t, server.endpoint("echo", "tcp"), "hello"), "hello");
  const all = performance.now() - began + installed;
  t.diagnostic?.(`${(all / 1000).toFixed(1)} s from npm install, offline, to the first echo`);
  await server.stop();
});

/** What can be made beside the handler of the story. */
const PROJECTS: readonly (readonly [string, ...string[]])[] = [
  ["plugin", "--kind", "sink", "--registry", "jsr"],
  ["plugin", "--kind", "http", "--license", "ISC"],
  ["plugin", "--kind", "hono", "--registry", "both", "--license", "Apache-2.0"],
  ["service", "--kind", "handler"],
  ["service", "--kind", "http"],
  ["service", "--kind", "hono"],
];

describe("a project passes its tests, types, lint, check and a dry run of publishing", {
  concurrency: 2,
}, () => {
  for (const [what, ...options] of PROJECTS) {
    test([what, ...options].join(" "), async (t) => {
      const project = folder(t, {});
      // As long as a name may be, so that nothing has to be written in another form for it.
      const name = `@${"you-".repeat(5)}x/portico-plugin-${"long-".repeat(8)}x`;
      await succeed(
        project,
        portico("node", home, "new", what, name, "--dir", ".", "--holder", "me", ...options),
      );
      symlinkSync(join(stocked, "node_modules"), join(project, "node_modules"));
      // Publishing asks for lint, check and tests by itself.
      if (what === "plugin") await npm(project, "publish", "--dry-run", "--offline");
      else await npm(project, "run", "lint").then(() => npm(project, "run", "check"));
      await succeed(project, ["deno", "fmt", "--check"]);
      await succeed(project, ["deno", "lint"]);
      // The sources and tests of an app are the same in a plugin and in a service.
      const runtimes = what === "service"
        ? ["node", "bun", "deno"]
        : options.includes("sink")
        ? ["bun", "deno"]
        : [];
      for (const runtime of runtimes) {
        await succeed(project, [INSTALLED_ON[runtime]![0], ...TESTS[runtime]!]);
      }
      if (options.includes("jsr") || options.includes("both")) {
        await succeed(project, ["deno", "publish", "--dry-run", "--allow-dirty"]);
      }
    });
  }
});

test("a plugin that was built for another version of the API is refused", async (t) => {
  const text =
    `export default { name: "x", transports: ["stream"], start: () => ({ data() {} }) };`;
  const server = folder(t, {
    "portico.json": JSON.stringify({ services: { x: { plugin: "newer", listen: "tcp://*:0" } } }),
    "node_modules/newer/package.json": JSON.stringify({
      ...{ name: "newer", version: "3.0.0", exports: "./x.mjs", portico: { api: 2 } },
    }),
    "node_modules/newer/x.mjs": text,
  });
  const { code, err } = await inFolder(server, portico("node", home, "check", server));
  assert.equal(code, 2, err);
  assert.match(err, /"portico": \{ "api": 1 \} in .*newer\/package\.json; it says 2/);
});
