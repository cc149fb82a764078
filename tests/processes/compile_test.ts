/** Executables that `portico compile` makes, run in an empty folder with nothing of Portico about. */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { type CommandResult, portico, RUNTIMES, runToEnd } from "../support/command.ts";
import { compileOn } from "../support/compiled.ts";
import { folder } from "../support/folder.ts";
import { gone, sendSignal } from "../support/proc.ts";
import { askOnce, dial, openUdp, openUnix } from "../support/peers.ts";
import { send } from "../support/requests.ts";
import { ServerProcess } from "../support/server-process.ts";

const TCP = "tcp://127.0.0.1:0";
const shout = (concurrency: unknown, listen: unknown = TCP) => ({
  plugin: "shout",
  listen,
  concurrency,
});
const MANIFEST = {
  plugins: { shout: "./shout.ts", lines: "./lines.ts" },
  defaults: { log: ["json", "lines", { type: "file", path: "./server.log" }] },
  services: {
    serial: {
      ...shout("serial", [TCP, "udp://127.0.0.1:0", "unix:./s.sock", "unixgram:./s.dgram"]),
      options: { mark: "${MARK:-.}" },
    },
    async: shout("async"),
    threads: shout({ strategy: "threads", workers: 1 }),
    processes: shout({ strategy: "processes", workers: 1 }),
    spawn: shout("spawn"),
    packaged: { plugin: "portico-plugin-count", listen: TCP },
    admin: { plugin: "admin", listen: "http://127.0.0.1:0" },
  },
};
/** A plugin with a module beside it and one of a package, another one that is a package, and a sink. */
const FILES = {
  "portico.json": `// ${"a comment"}\n${JSON.stringify(MANIFEST)}`,
  "sub/upper.ts": "export const upper = (text: string): string => text.toUpperCase();\n",
  "shout.ts": `import { definePlugin } from "portico";
import { object, optional, string } from "tiny-schema";
import { upper } from "./sub/upper.ts";
export default definePlugin({
  name: "shout",
  transports: ["stream", "datagram"],
  options: object({ mark: optional(string(), "!") }),
  start: ({ options }) => ({
    data(session, chunk) {
      const text = new TextDecoder().decode(chunk).trim();
      if (text === "fail") throw new Error("as wanted");
      session.write(upper(text) + options.mark + "\\n");
    },
  }),
});
`,
  "lines.ts": `import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { defineSink } from "portico";
export default defineSink({
  name: "lines",
  open: (_options, { folder }) => ({ event }) => appendFileSync(join(folder, "lines.log"), event + "\\n"),
});
`,
  "node_modules/tiny-schema/package.json": JSON.stringify({
    name: "tiny-schema",
    type: "module",
    exports: "./index.js",
    dependencies: { deeper: "1" },
  }),
  "node_modules/tiny-schema/index.js": `export * from "deeper";\n`,
  // Below its dependent: another one of its name is at the top.
  "node_modules/tiny-schema/node_modules/deeper/package.json":
    `{ "name": "deeper", "type": "module", "exports": "./index.js" }`,
  "node_modules/tiny-schema/node_modules/deeper/index.js":
    `export const string = () => (value) => value;
export const optional = (_type, value) => value;
export const object = (defaults) => ({
  "~standard": { version: 1, vendor: "tiny", validate: (value) => ({ value: { ...defaults, ...value } }) },
});
`,
  "node_modules/deeper/package.json":
    `{ "name": "deeper", "version": "2.0.0", "main": "index.js" }`,
  "node_modules/deeper/index.js": `module.exports = { count: 2 };\n`,
  "node_modules/portico-plugin-count/package.json": JSON.stringify({
    name: "portico-plugin-count",
    type: "module",
    exports: "./index.js",
    portico: { api: 1 },
    dependencies: { deeper: "2" },
  }),
  "node_modules/portico-plugin-count/index.js": `import { definePlugin } from "portico";
import deeper from "deeper";
export default definePlugin({
  name: "count",
  transports: ["stream"],
  start: () => ({ data: (session, chunk) => void session.write(deeper.count + " " + new TextDecoder().decode(chunk)) }),
});
`,
};

const hooks: (() => unknown)[] = [];
const scope = { after: (hook: () => unknown) => void hooks.push(hook) };
let app: string;
let made: string;
/** Whoever runs an executable has no runtime. */
const BARE = { PATH: "/usr/bin:/bin" };

before(() => {
  app = folder(scope, FILES);
  made = folder(scope, {});
});
after(() => hooks.forEach((hook) => hook()));

const compile = (...words: readonly string[]): Promise<CommandResult> =>
  portico("compile", app, ...words);

describe("an executable", () => {
  for (const runtime of RUNTIMES) {
    test(`serves in an empty folder, is asked and upgraded, on ${runtime}`, async (t) => {
      const file = join(made, runtime);
      const note = await compileOn(scope, app, runtime, file);
      if (note !== undefined) t.diagnostic(note);
      const home = folder(scope, {});
      const path = BARE.PATH + (note === undefined ? "" : `:${process.env["PATH"]}`);
      const env = { PATH: path, MARK: "?" };
      const run = (...words: readonly string[]) =>
        runToEnd(["env", ["-C", "/", file, ...words]], { PATH: path });
      const server = new ServerProcess("run", { cwd: home, portico: [file], command: [], env });
      const successors: number[] = [];
      t.after(async () => {
        successors.forEach(end);
        await server.kill();
      });
      await server.record({ event: "ready" });

      const names = Object.keys(MANIFEST.services).filter((name) => name !== "admin");
      const at = Object.fromEntries(names.map((name) => [name, server.endpoint(name, "tcp")]));
      const ask = (service: string, line: string) => askOnce(t, at[service]!, line);
      assert.equal(await ask("serial", "a"), "A?");
      for (const name of ["async", "threads", "processes", "spawn"]) {
        assert.equal(await ask(name, "hello"), "HELLO!", name);
      }
      assert.equal(await ask("packaged", "deep"), "2 deep");
      assert.equal(await askOnce(t, `unix:${join(home, "s.sock")}`, "u"), "U?");
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      const udp = await openUdp(t);
      assert.equal(text(await udp.ask("u", server.endpoint("serial", "udp"))), "U?\n");
      const local = await openUnix(t, `unixgram:${join(made, `${runtime}.dgram`)}`);
      assert.equal(text(await local.ask("d", `unixgram:${join(home, "s.dgram")}`)), "D?\n");
      const http = server.endpoint("admin", "http");
      for (const name of ["", "page.js", "page.css", "uplot.js", "uplot.css", "metrics"]) {
        const response = await send(http, `/${name}`);
        response.resume();
        assert.equal(response.statusCode, 200, name);
      }
      // Where a plugin fails is told by its place in the app.
      (await dial(t, at["threads"]!)).send("fail\n");
      const failed = await server.record({ event: "error", service: "threads" });
      assert.match(String(failed["at"]), /app\/shout\.ts:11:/);

      const status = JSON.parse((await run("ctl", "status", "--json")).out);
      assert.equal(status.manifest, file);
      assert.deepEqual(
        status.services.map((one: { service: string }) => one.service),
        Object.keys(MANIFEST.services),
      );
      renameSync(join(home, "server.log"), join(home, "old.log"));
      server.signal("SIGHUP");
      const reload = await server.record({ event: "reload" });
      assert.deepEqual(reload["unchanged"], Object.keys(MANIFEST.services));
      assert.ok(existsSync(join(home, "server.log")), "log files are opened anew");

      const upgraded = await run("ctl", "upgrade", "--json");
      assert.equal(upgraded.code, 0, upgraded.err);
      successors.push(Number(upgraded.out));
      assert.equal(await server.exited(), 0, server.errors);
      assert.equal(await ask("threads", "again"), "AGAIN!");
      assert.equal(await ask("processes", "again"), "AGAIN!");
      const other = await run("ctl", "upgrade", "--to", "node");
      assert.match(other.err, /an executable runs on the runtime that is in it/);
      const stopped = await run("ctl", "stop");
      assert.equal(stopped.code, 0, stopped.err);
      await gone(successors);
      assert.deepEqual(readdirSync(home).sort(), ["lines.log", "old.log", "server.log"]);
      assert.match(readFileSync(join(home, "lines.log"), "utf8"), /^ready$/m);
    });

    test(`takes portico's other words, on ${runtime}`, async () => {
      const file = join(made, runtime);
      const home = folder(scope, { "other.json": "{}" });
      const run = (...words: readonly string[]) =>
        runToEnd(["env", ["-C", home, file, ...words]], { NO_COLOR: "1" });
      assert.match((await run("--version")).out, RegExp(`^portico \\S+ \\(${runtime} `));
      const checked = await run("check", "--json");
      assert.equal(JSON.parse(checked.out).ok, true, checked.out);
      const wrong = await run("run", "other.json");
      assert.equal(wrong.code, 2);
      assert.match(wrong.err, /other\.json/);
      assert.equal((await run("compile", "--to", "x")).code, 2);
      const nobody = await run("ctl", "status");
      assert.match(nobody.err, RegExp(`as started by: ${file}`));
    });
  }
});

function end(pid: number): void {
  try {
    sendSignal(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

describe("portico compile", () => {
  test("refuses what it cannot make, in words, and leaves nothing", async () => {
    const text = join(made, "text");
    writeFileSync(text, "mine\n");
    mkdirSync(join(made, "sub"), { recursive: true });
    const table: [string[], RegExp][] = [
      [[], /received {2}no --to\n {2}expected {2}--to FILE/],
      [["--to", join(made, "sub")], /which is a folder/],
      [["--to", text], /which is there and is no executable/],
      [["--to", join(made, "nowhere/x")], /expected {2}a folder that this user can write to/],
      [["--to", join(made, "x"), "--runtime", "nod"], /did you mean "node"/],
      [
        ["--to", join(made, "x"), "--runtime", "node", "--target", "y"],
        /compiles for this machine/,
      ],
    ];
    for (const [words, message] of table) {
      const result = await compile(...words);
      assert.equal(result.code, 2, result.err);
      assert.match(result.err, message);
    }
    assert.equal(readFileSync(text, "utf8"), "mine\n");
    assert.ok(!existsSync(join(made, "x")));
  });

  test("names a plugin that is not there, at its place", async (t) => {
    const home = folder(t, {
      "portico.json": `{ "services": { "a": { "plugin": "ecoh", "listen": "${TCP}" } } }`,
    });
    const result = await portico("compile", home, "--to", join(home, "x"));
    assert.equal(result.code, 2);
    assert.match(result.err, /portico\.json:1:\d+ {2}services\.a\.plugin/);
    assert.match(result.err, /did you mean "echo"/);
    assert.deepEqual(readdirSync(home), ["portico.json"]);
  });
});
