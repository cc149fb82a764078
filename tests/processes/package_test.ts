/** The package, as who installs it has it: outside this tree, compiled, on every runtime. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import { ENGINES, tooOld } from "../../runtime/engines.ts";
import { BUILT_IN } from "../../runtime/modules/resolve.ts";
import { folder } from "../support/folder.ts";
import {
  inFolder,
  install,
  INSTALLED_ON,
  MODULES,
  pack,
  type Packed,
  ROOT,
  sourceTree,
} from "../support/package.ts";
import { sendSignal } from "../support/proc.ts";
import { askOnce, dial, openUdp } from "../support/peers.ts";
import { ServerProcess } from "../support/server-process.ts";

/** Both transports under each strategy that can have them, a plugin by its package's name, the dashboard. */
const ADDRESSES = ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"];
const echo = (concurrency: string, listen: readonly string[] = ADDRESSES) => ({
  plugin: "echo",
  listen,
  concurrency: concurrency === "threads" || concurrency === "processes"
    ? { strategy: concurrency, workers: 1 }
    : concurrency,
});
const SERVICES = {
  serial: echo("serial"),
  async: echo("async"),
  threads: echo("threads"),
  processes: echo("processes"),
  spawn: echo("spawn", [ADDRESSES[0]!]),
  shout: { plugin: "portico-plugin-shout", listen: ADDRESSES[0]!, options: { mark: "!" } },
  admin: { plugin: "admin", listen: "http://127.0.0.1:0" },
};
const MANIFEST = {
  control: "unix:./control.sock",
  defaults: { log: "json" },
  services: SERVICES,
};

/** A plugin as its author publishes it. */
const SHOUT = {
  "package.json": JSON.stringify({
    name: "portico-plugin-shout",
    version: "1.0.0",
    type: "module",
    exports: "./shout.js",
    keywords: ["portico-plugin"],
    portico: { api: 1 },
    peerDependencies: { portico: "*" },
  }),
  "shout.js": `import { definePlugin } from "portico";
import * as v from "valibot";
export default definePlugin({
  name: "shout",
  transports: ["stream"],
  options: v.object({ mark: v.string() }),
  start: ({ options }) => ({
    async handle(session) {
      for await (const line of session.lines()) session.write(line.toUpperCase() + options.mark + "\\n");
    },
  }),
});
`,
};

const hooks: (() => unknown)[] = [];
const scope = { after: (hook: () => unknown) => void hooks.push(hook) };
let tree: string;
let packed: Packed;
/** Where everything is installed. */
let home: string;
const main = (): string => join(home, "node_modules/portico/dist/runtime/main.js");

before(async () => {
  tree = sourceTree(scope);
  packed = await pack(tree);
  const shout = await pack(folder(scope, SHOUT));
  home = folder(scope, {
    "package.json": JSON.stringify({ name: "server", private: true, type: "module" }),
    "portico.json": JSON.stringify(MANIFEST),
  });
  await install(home, packed.path, shout.path);
});
after(() => hooks.forEach((hook) => hook()));

describe("the package", () => {
  test("has what it runs, its declarations and its papers, and no source", (t) => {
    const paths = packed.files.map(({ path }) => path);
    const beside = paths.filter((path) => !path.startsWith("dist/"));
    assert.deepEqual(beside.sort(), ["CHANGELOG.md", "LICENSE", "README.md", "package.json"]);
    const odd = paths.filter((path) =>
      !/\.(?:js|d\.ts|json|css|html|md|1)$|^LICENSE$|^dist\/templates\//.test(path)
    );
    assert.deepEqual(odd, []);
    // npm leaves out, or obeys, what is named as its own and Git's files are.
    assert.deepEqual(
      paths.filter((path) => path.startsWith("dist/templates/")).sort(),
      templates(),
    );
    for (const name of ["page.js", "page.css", "page.html"]) {
      assert.ok(paths.includes(`dist/plugins/admin/${name}`), name);
    }
    const { man } = JSON.parse(
      readFileSync(join(home, "node_modules/portico/package.json"), "utf8"),
    );
    assert.ok(paths.includes(join(man)), "the man page");
    t.diagnostic(`${packed.size} B packed, ${packed.unpackedSize} B, ${paths.length} files`);
  });

  test("leads to nothing that is TypeScript, nor to a development dependency", () => {
    const json = JSON.parse(read("node_modules/portico/package.json"));
    const { dependencies, optionalDependencies, peerDependencies } = json;
    const known = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
    for (const { path } of packed.files.filter(({ path }) => /\.(?:js|d\.ts)$/.test(path))) {
      const text = read(`node_modules/portico/${path}`).replace(/\/\*\*[\s\S]*?\*\//g, "");
      const led = [
        ...text.matchAll(/(?:^(?:import|export)\b[^;"]*?from |import\(|new URL\()"([^"]+)"/gm),
      ];
      for (const [, specifier] of led) {
        if (specifier!.startsWith(".")) {
          assert.ok(!/(?<!\.d)\.ts$/.test(specifier!), `${path} leads to ${specifier}`);
        } else if (!/^(?:node:|bun:|bun$)/.test(specifier!)) {
          const found = known.some((name) =>
            specifier === name || specifier!.startsWith(`${name}/`)
          );
          assert.ok(found, `${path} imports ${specifier}`);
        }
      }
    }
  });

  test("package.json of the tree is as it was, and names the versions that the bin asks for", () => {
    const file = fileURLToPath(new URL("../../package.json", import.meta.url).href);
    const text = readFileSync(file, "utf8");
    assert.equal(readFileSync(join(tree, "package.json"), "utf8"), text);
    assert.ok(!existsSync(join(tree, "package.json.source")));
    const engines = Object.entries(ENGINES).map(([name, version]) => [name, `>=${version}`]);
    assert.deepEqual(JSON.parse(text).engines, Object.fromEntries(engines));
  });

  test("a runtime that is too old is told so; one that is new enough is not", () => {
    assert.equal(
      tooOld({ node: "20.20.2" }),
      "error: this runtime is too old\n\n  received  node 20.20.2\n" +
        "  expected  bun 1.4, deno 2.9, node 24, or later\n",
    );
    assert.match(tooOld({ node: "24.3.0", bun: "1.3.14" })!, /received {2}bun 1\.3\.14/);
    assert.match(tooOld({ node: "24.3.0", deno: "2.8.0" })!, /received {2}deno 2\.8\.0/);
    for (
      const newer of [{ bun: "1.4.0" }, { deno: "2.10.1" }, { deno: "3.0.0" }, { node: "24.0.0" }]
    ) {
      assert.equal(tooOld({ node: "24.0.0", ...newer }), undefined, JSON.stringify(newer));
    }
    assert.equal(tooOld(), undefined);
  });
});

/** Has a process tell which modules of the runtime are asked for, the last of all in the end. */
const TELL = `const { getBuiltinModule } = process;
const names = new Set();
process.getBuiltinModule = (name) => {
  names.add(name);
  return getBuiltinModule.call(process, name);
};
process.once("exit", () => console.error(JSON.stringify([...names])));
`;
const DIST = (): string => join(home, "node_modules/portico/dist");

/** What a module of the package leads to; with what it imports while it runs, where `later` says so. */
function reached(from: string, later: (file: string) => boolean): Map<string, string> {
  const found = new Map<string, string>();
  const waiting = [from];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (found.has(file)) continue;
    const text = read(join("node_modules/portico/dist", file));
    found.set(file, text);
    const imports = later(file)
      ? /(?:^import [^;]*?from |\bimport\()'([^']+)'/gm
      : /^(?:import|export) [^;]*?from '([^']+)'/gm;
    for (const [, specifier] of text.matchAll(imports)) {
      // Bun has it already, and nobody else comes here.
      if (specifier!.startsWith("bun:") && file.includes("-bun")) continue;
      assert.match(specifier!, /^\.{1,2}\//, `${file} imports ${specifier}`);
      waiting.push(join(file, "..", specifier!));
    }
  }
  return found;
}

/** Their names, without what tells one version of a chunk from the next. */
function chunksOf(files: ReadonlyMap<string, string>): string[] {
  return [...files.keys()].map((file) => file.replace(/-[\w-]{8}\.js$/, "")).sort();
}

/** How a runtime loads a module before the others. */
const PRELOAD: Readonly<Record<string, string>> = { bun: "--preload", deno: "--preload" };

describe("the start of the package", () => {
  test("reads five files before the adapter's, and none of a package", () => {
    // What main.js imports while it runs is the start, too; of others, what they cannot do without.
    const found = reached("runtime/main.js", (file) => file === "runtime/main.js");
    assert.deepEqual(chunksOf(found), [
      ...["core", "early", "schemas", "server"].map((name) => `runtime/chunk-${name}`),
      "runtime/main.js",
    ]);
    const all = [...found.values()].join("\n");
    // A letter that is none of ASCII makes two bytes of each letter beside it.
    assert.doesNotMatch(all, /[\u0080-\uffff]/);
    // Commands, adapters, strategies' workers, the dashboard and metrics lie elsewhere.
    assert.ok(all.length < 820_000, `${all.length} bytes`);
  });

  test("of a worker reads nothing that only a server needs", () => {
    const found = reached("runtime/worker.js", (file) => /worker\.js$|chunk-process/.test(file));
    for (const [file, text] of reached("plugins/echo.js", () => false)) found.set(file, text);
    for (const name of ["node", "bun", "deno"]) {
      const [sessions] = globSync(`chunk-${name}-sessions-*.js`, { cwd: join(DIST(), "runtime") });
      for (const [file, text] of reached(`runtime/${sessions}`, () => false)) found.set(file, text);
    }
    assert.deepEqual(chunksOf(found), [
      "plugins/echo.js",
      "plugins/wire.js",
      ...["bun-sessions", "chunk", "core", "deno-sessions", "early", "node-sessions", "process"]
        .map((name) => `runtime/chunk-${name}`),
      ...["schemas", "thread", "worker"].map((name) => `runtime/chunk-${name}`),
      "runtime/worker.js",
    ]);
    const size = [...found.values()].join("").length;
    assert.ok(size < 400_000, `${size} bytes`);
  });

  for (const [name, runtime] of Object.entries(INSTALLED_ON)) {
    test(`takes of the runtime what an echo over TCP needs, on ${name}`, async (t) => {
      const place = folder(t, {
        "tell.mjs": TELL,
        "portico.json": JSON.stringify({
          control: false,
          services: { echo: { plugin: "echo", listen: "tcp://127.0.0.1:0" } },
        }),
      });
      const words = [PRELOAD[name] ?? "--import", join(place, "tell.mjs")];
      const portico: [string, ...string[]] = [...runtime, ...words, main()];
      const server = new ServerProcess(place, { portico });
      t.after(() => server.kill());
      await server.record({ event: "ready" });
      await server.stop();
      const taken: string[] = JSON.parse(server.errors.trim().split("\n").at(-1)!);
      const known = ["fs", "path", "url", "util", "module"].map((each) => `node:${each}`);
      // V8's heap, and who listens with the sockets of Node.
      if (name !== "bun") known.push("node:v8");
      if (name.startsWith("node")) known.push("node:net");
      // Chunks that are lent are of its class; Deno's are plain.
      if (name !== "deno") known.push("node:buffer");
      assert.deepEqual(taken.sort(), known.sort());
    });
  }

  test("of a worker takes no module of Node on Deno, whose first one costs as much as the rest", async (t) => {
    const place = folder(t, {
      "tell.mjs": TELL,
      "portico.json": JSON.stringify({ control: false, services: { echo: SERVICES.spawn } }),
    });
    const words = ["--preload", join(place, "tell.mjs")];
    const portico: [string, ...string[]] = [...INSTALLED_ON["deno"]!, ...words, main()];
    const server = new ServerProcess(place, { portico });
    t.after(() => server.kill());
    await server.record({ event: "ready" });
    assert.equal(await askOnce(t, server.endpoint("echo", "tcp"), "hello"), "hello");
    await server.stop();
    const told = server.errors.trim().split("\n").map((line): string[] => JSON.parse(line));
    const [supervisor, ...workers] = told.reverse();
    assert.ok(supervisor!.includes("node:fs"));
    assert.ok(workers.length > 0);
    for (const taken of workers) assert.deepEqual(taken, []);
  });
});

/** A plugin that leans on what the process of its worker tells. */
const LEANS = `import process from "node:process";
export default {
  name: "leans",
  transports: ["stream"],
  start() {
    const inside = process.env.PORTICO_WORKER ?? process.env.OF_A_PLUGIN;
    process.once("exit", () => console.error("the last word"));
    return {
      data(session) {
        setTimeout(() => { throw new Error("thrown late"); });
        setTimeout(() => void Promise.reject(new Error("rejected late")));
        setTimeout(() => { throw new Proxy({}, { getPrototypeOf() { throw new Error("asked"); } }); });
        setTimeout(() => session.write(inside + "\\n"), 20);
      },
    };
  },
};
`;

describe("a worker of the package", () => {
  for (const [name, runtime] of Object.entries(INSTALLED_ON)) {
    test(`has a process as plugins know it, on ${name}`, async (t) => {
      const leans = { plugin: "./leans.mjs", listen: "tcp://127.0.0.1:0", concurrency: "spawn" };
      const place = folder(t, {
        "leans.mjs": LEANS,
        "portico.json": JSON.stringify({ control: false, services: { leans } }),
      });
      const portico: [string, ...string[]] = [...runtime, main()];
      const server = new ServerProcess(place, { portico, env: { OF_A_PLUGIN: "its own" } });
      t.after(() => server.kill());
      await server.record({ event: "ready" });
      assert.equal(await askOnce(t, server.endpoint("leans", "tcp"), "hello"), "its own");
      for (const message of ["thrown late", "rejected late"]) {
        await server.record({ event: "error", message });
      }
      await server.count(3, { event: "error" });
      await server.stop();
      assert.match(server.errors, /the last word/);
    });
  }
});

/** What an author writes against the declarations. */
const AUTHOR =
  `import { defineHooks, definePlugin, defineManifest, defineSink, lines, pipe, PorticoError } from "portico";
import type { Manifest, Plugin, Session } from "portico";
import { type EmbeddedServer, serve } from "portico/embed";
import echo from "portico/plugins/echo";
import proxy from "portico/plugins/proxy";
import { everyWay, open, type Peer, type TestedService } from "portico/testing";
import schema from "portico/schema.json" with { type: "json" };
import * as v from "valibot";
export default definePlugin({
  name: "shout",
  transports: ["stream", "datagram"],
  options: v.object({ upper: v.optional(v.boolean(), false) }),
  start: ({ options, log }) => defineHooks({
    setup: () => ({ count: 0 }),
    data(session, chunk) {
      session.state.count++;
      log.info("told", { count: session.state.count, upper: options.upper });
      if (!session.write(chunk)) session.pause();
    },
  }),
});
export async function tested(): Promise<void> {
  const service: TestedService = await open(echo, { options: { upper: true }, limits: { idle: "30s" } });
  const peer: Peer = service.connect({ from: "192.0.2.7" });
  const bytes: Uint8Array = await peer.expect(4);
  const found: RegExpExecArray = await peer.expect(/x/);
  await peer.expect("HELLO");
  await service.clock.advance("30s");
  await service.close();
  await everyWay(echo, [{ send: bytes, expect: found[0] }]);
}
export const manifest: Manifest = defineManifest({
  services: { shout: { plugin: "./shout.js", listen: { endpoint: "tcp://*:0", backlog: 5 } } },
});
// @ts-expect-error There is no such strategy.
defineManifest({ services: { a: { plugin: "echo", listen: "tcp://*:0", concurrency: "fibers" } } });
export const manifests: readonly Manifest[] = [
  defineManifest({ services: { a: { plugin: echo, listen: "tcp://*:0", options: { upper: true } } } }),
  // @ts-expect-error It is no boolean.
  defineManifest({ services: { a: { plugin: echo, listen: "tcp://*:0", options: { upper: 1 } } } }),
];
export const start = (): Promise<EmbeddedServer> =>
  serve({ services: { a: { plugin: { fetch: () => new Response("") }, listen: "http://*:0" } } });
export const names: readonly string[] = [echo.name, proxy.name, PorticoError.name, String(schema)];
export const others: readonly unknown[] = [defineSink, lines, pipe];
export type { Plugin, Session };
`;

describe("the tree", () => {
  const json = (name: string) =>
    JSON.parse(readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url).href), "utf8"));

  test("is one version for npm and JSR, and Deno's tasks need no program but deno", () => {
    assert.equal(json("deno.json").version, json("package.json").version);
    for (const [name, task] of Object.entries<string>(json("deno.json").tasks)) {
      // In the shell of tasks sh may be missing, and what stands behind || is there.
      assert.match(
        task,
        /^(?:\w+=\S+ )?(?:deno|\$\(sh -c '[^']+' 2>\/dev\/null \|\| echo deno\)) /,
        name,
      );
    }
  });

  test("exports on JSR, which has no patterns, each plugin by its name", () => {
    const names = Object.keys(json("deno.json").exports).filter((name) => /plugins/.test(name));
    assert.deepEqual(names.sort(), BUILT_IN.map((name) => `./plugins/${name}`).sort());
  });

  test("has no package whose scripts Bun would run, and which need Node: bun install is enough", () => {
    assert.deepEqual(json("package.json").trustedDependencies, []);
  });
});

describe("the declarations", () => {
  for (const [resolution, module] of [["bundler", "esnext"], ["nodenext", "nodenext"]] as const) {
    test(`are clean under tsc --strict, libraries checked, with ${resolution}`, async () => {
      writeFileSync(join(home, "author.ts"), AUTHOR);
      const result = await inFolder(home, [
        "tsc",
        ...["--noEmit", "--strict"],
        ...["--skipLibCheck", "false", "--exactOptionalPropertyTypes", "--target", "es2022"],
        ...["--module", module, "--moduleResolution", resolution, "--resolveJsonModule"],
        ...["--ignoreConfig", "--types", "", "author.ts"],
      ]);
      assert.equal(result.code, 0, result.out + result.err);
    });
  }
});

/** A program with a server of its own, which ends when that has stopped. */
const PROGRAM = `import { connect } from "node:net";
import { serve } from "portico/embed";
import echo from "portico/plugins/echo";
const listen = "tcp://127.0.0.1:0";
const shout = { plugin: "portico-plugin-shout", listen, options: { mark: "!" } };
const server = await serve({ services: {
  echo: { plugin: echo, listen },
  shout: { ...shout, concurrency: { strategy: "threads", workers: 1 } },
} });
const ask = (service) => new Promise((resolve, reject) => {
  const socket = connect(server.address(service).port, "127.0.0.1", () => socket.write("hello\\n"));
  socket.once("data", (answer) => { socket.destroy(); resolve(String(answer)); }).once("error", reject);
});
console.log(await ask("echo") + await ask("shout"));
await server.stop();
`;

/** A test of that plugin, for no runner. */
const TEST_OF_SHOUT = `import { everyWay, open } from "portico/testing";
import shout from "portico-plugin-shout";
await everyWay(shout, [{ send: "hello\\n", expect: "HELLO!\\n" }], { options: { mark: "!" } });
const service = await open(shout, { options: { mark: "?" }, limits: { idle: "1m" } });
const peer = service.connect();
await service.clock.advance("2m");
console.log((await peer.closed).reason);
await service.close();
`;

describe("the installed package", () => {
  for (const [name, runtime] of Object.entries(INSTALLED_ON)) {
    test(`has a server for programs, on ${name}`, async () => {
      writeFileSync(join(home, "program.mjs"), PROGRAM);
      const { code, out, err } = await inFolder(home, [...runtime, "program.mjs"]);
      assert.deepEqual({ code, out, err }, { code: 0, out: "hello\nHELLO!\n\n", err: "" });
    });
  }

  for (const [name, runtime] of Object.entries(INSTALLED_ON)) {
    test(`tests a plugin that is installed beside it, on ${name}`, async () => {
      writeFileSync(join(home, "shout.test.js"), TEST_OF_SHOUT);
      const result = await inFolder(home, [...runtime, "shout.test.js"]);
      assert.deepEqual(result, { code: 0, out: "idle\n", err: "" });
    });
  }

  for (const [name, runtime] of Object.entries(INSTALLED_ON)) {
    test(`serves under every strategy, and is upgraded to another runtime, on ${name}`, async (t) => {
      const portico: [string, ...string[]] = [...runtime, main()];
      const version = await inFolder(home, [...portico, "--version", "--json"]);
      assert.equal(JSON.parse(version.out).version, "0.1.0", version.err);
      const check = await inFolder(home, [...portico, "check", "--json"]);
      assert.equal(check.code, 0, check.out + check.err);

      const path = `${join(MODULES, ".bin")}:${process.env["PATH"]}`;
      const server = new ServerProcess(home, { cwd: home, portico, env: { PATH: path } });
      const successors: number[] = [];
      t.after(async () => {
        // It has its predecessor's standard output.
        successors.forEach(end);
        await server.kill();
      });
      await server.record({ event: "ready" });
      const echoes = Object.keys(SERVICES).filter((service) => !/shout|admin/.test(service));
      await Promise.all(echoes.map(async (service) => {
        const client = await dial(t, server.endpoint(service, "tcp"));
        await client.echo("hello");
        client.leave();
        if (service === "spawn") return;
        const datagrams = await openUdp(t);
        const answer = await datagrams.ask("hello", server.endpoint(service, "udp"));
        assert.equal(new TextDecoder().decode(answer), "hello", service);
      }));
      assert.equal(await askOnce(t, server.endpoint("shout", "tcp"), "hello"), "HELLO!");
      const page = parseEndpoint(server.endpoint("admin", "http")) as {
        host: string;
        port: number;
      };
      for (
        const [file, type] of [["", "html"], ["page.js", "javascript"], ["uplot.js", "javascript"]]
      ) {
        const response = await fetch(`http://${page.host}:${page.port}/${file}`);
        assert.equal(response.status, 200, `/${file}`);
        assert.match(response.headers.get("content-type")!, RegExp(type!));
        await response.body?.cancel();
      }

      const threads = server.endpoint("threads", "tcp");
      const to = name === "bun" ? "deno" : "bun";
      const upgrade = await inFolder(home, [...portico, "ctl", "upgrade", "--to", to, "--json"]);
      assert.equal(upgrade.code, 0, upgrade.out + upgrade.err);
      successors.push(JSON.parse(upgrade.out) as number);
      assert.equal(await server.exited(), 0);
      const status = JSON.parse(
        (await inFolder(home, [...portico, "ctl", "status", "--json"])).out,
      );
      assert.match(status.runtime, RegExp(`^${to} `));
      assert.equal(await askOnce(t, threads, "hello"), "hello");
      const stop = await inFolder(home, [...portico, "ctl", "stop"]);
      assert.equal(stop.code, 0, stop.out + stop.err);
    });
  }

  test("serves on a Node without FFI whose koffi lacks its native module, and says why", async (t) => {
    const [native, away] = ["node_modules/@koromix", "koromix"].map((name) => join(home, name));
    assert.ok(existsSync(native!), "koffi has a native module that can be taken away");
    renameSync(native!, away!);
    t.after(() => renameSync(away!, native!));
    const portico: [string, ...string[]] = [...INSTALLED_ON["node24"]!, main()];
    const manifest = JSON.stringify({ services: { echo: echo("async") } });
    const server = new ServerProcess(folder(t, { "portico.json": manifest }), { portico });
    t.after(() => server.kill());
    await server.record({ event: "ready" });
    await (await dial(t, server.endpoint("echo", "tcp"))).echo("hello");
    const { transports } = JSON.parse((await inFolder(home, [...portico, "doctor", "--json"])).out);
    assert.match(transports.unixgram.reason, /^the package koffi cannot be loaded: .*native/);
    assert.match(transports.unixgram.remedy, /with its native module/);
  });

  for (const name of ["node", "bun"] as const) {
    test(`is compiled to an executable by ${name}, with a plugin that is a package`, async (t) => {
      const file = join(folder(t, {}), "server");
      const words = ["compile", "--to", file, "--runtime", name];
      const compiled = await inFolder(home, [...INSTALLED_ON["node24"]!, main(), ...words]);
      assert.equal(compiled.code, 0, compiled.out + compiled.err);
      const empty = folder(t, {});
      const server = new ServerProcess("run", { cwd: empty, portico: [file], command: [] });
      t.after(() => server.kill());
      await server.record({ event: "ready" });
      for (const service of ["serial", "threads", "processes", "spawn"]) {
        assert.equal(await askOnce(t, server.endpoint(service, "tcp"), "hello"), "hello", service);
      }
      assert.equal(await askOnce(t, server.endpoint("shout", "tcp"), "hello"), "HELLO!");
      await server.stop();
    });
  }
});

/** The files of the tree's templates, as the package has them. */
function templates(): string[] {
  return globSync("templates/**", { cwd: ROOT, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => `dist/${relative(ROOT, join(parentPath, name))}`)
    .sort();
}

/** A successor is nobody's child. */
function end(pid: number): void {
  try {
    sendSignal(pid, "SIGKILL");
  } catch {
    // It has ended in order.
  }
}

function read(path: string): string {
  return readFileSync(join(home, path), "utf8");
}
