import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { after, describe, test } from "node:test";
import { parseCall } from "../runtime/terminal/args.ts";
import { columns } from "../runtime/terminal/output.ts";
import { command, MAIN, portico, porticoWith } from "./support/command.ts";
import { folder } from "./support/folder.ts";

const ECHO = { plugin: "echo", listen: "tcp://127.0.0.1:0" };

function manifest(service: object = {}): string {
  return JSON.stringify({ services: { echo: { ...ECHO, ...service } } });
}

describe("parseCall", () => {
  const run = { command: "run", path: ".", json: false, watch: false, stats: false } as const;
  const ctl = {
    command: "ctl",
    verb: "status",
    service: undefined,
    manifest: ".",
    socket: undefined,
    to: undefined,
    json: false,
  } as const;
  const table: [string, ReturnType<typeof parseCall>][] = [
    ["", run],
    ["run", run],
    ["./a", { ...run, path: "./a" }],
    ["run a --json", { ...run, path: "a", json: true }],
    ["--watch ./a", { ...run, path: "./a", watch: true }],
    ["--json check a", { command: "check", path: "a", json: true }],
    ["doctor", { command: "doctor", path: ".", json: false }],
    ["check --help", { command: "help", path: ".", json: false }],
    ["ctl --help", { command: "help", path: ".", json: false }],
    ["--version", { command: "version", path: ".", json: false }],
    ["ctl status", ctl],
    ["ctl drain echo --json", { ...ctl, verb: "drain", service: "echo", json: true }],
    ["ctl stop --manifest a", { ...ctl, verb: "stop", manifest: "a" }],
    ["ctl --socket=/s reload", { ...ctl, verb: "reload", socket: "/s" }],
    ["ctl upgrade --to deno", { ...ctl, verb: "upgrade", to: "deno" }],
  ];
  for (const [words, expected] of table) {
    test(`parseCall reads: portico ${words}`, () => {
      assert.deepEqual(parseCall(words.split(" ").filter(Boolean)), expected);
    });
  }
  const wrong: [string, string][] = [
    [
      "--jsn",
      '--jsn\n  expected  an option: --help, --version, --json, --watch, --stats\n  hint      did you mean "--json"?',
    ],
    ["--json=yes", "--json=yes\n  expected  --json, which takes no value"],
    [
      "chekc",
      '"chekc"\n  expected  a command: run, check, doctor, ctl; or the path of a manifest\n  hint      did you mean "check"?',
    ],
    [
      "explain a",
      '"explain"\n  expected  a command: run, check, doctor, ctl\n  hint      explain arrives in a later version',
    ],
    [
      "check --watch",
      "--watch\n  expected  an option of check: --help, --version, --json\n  hint      --watch is an option of run",
    ],
    [
      "ctl",
      "nothing after ctl\n  expected  one of status, reload, suspend, resume, drain, stop, upgrade",
    ],
    [
      "ctl rseume",
      '"rseume"\n  expected  one of status, reload, suspend, resume, drain, stop, upgrade\n  hint      did you mean "resume"?',
    ],
    ["ctl stop a b", '"b"\n  expected  one SERVICE, and nothing after "a"'],
    [
      "ctl reload a",
      '"a"\n  expected  nothing after reload, which concerns the whole server',
    ],
    ["ctl stop --to bun", "--to\n  expected  --to with upgrade, not stop"],
    [
      "ctl upgrade --to dneo",
      '--to "dneo"\n  expected  one of node, bun, deno\n  hint      did you mean "deno"?',
    ],
    ["ctl status --socket", "--socket\n  expected  --socket PATH"],
    [
      "ctl status --socket a --manifest b",
      "--manifest and --socket\n  expected  one of them: both say which server is meant",
    ],
    ["run a b", '"b"\n  expected  one PATH, and nothing after "a"'],
    ["./a b", '"b"\n  expected  one PATH, and nothing after "./a"'],
    ["doctor a", '"a"\n  expected  nothing after doctor'],
  ];
  for (const [words, message] of wrong) {
    test(`parseCall refuses: portico ${words}`, () => {
      assert.throws(() => parseCall(words.split(" ")), {
        code: "USAGE",
        message: `  received  ${message}`,
      });
    });
  }
});

describe("columns", () => {
  test("columns makes each as wide as its widest cell, and ends no line in spaces", () => {
    assert.equal(columns([["a", "bb", ""], ["aaa", "b", "c"]], " "), " a    bb\n aaa  b   c\n");
  });
});

describe("portico", () => {
  test("portico --version and --help print, and end with 0", async () => {
    const version = await portico("--version", "--json");
    assert.equal(version.code, 0);
    assert.match(JSON.parse(version.out).version, /^\d+\.\d+\.\d+/);
    const help = await portico("run", "--help");
    assert.equal(help.code, 0);
    assert.match(help.out, /portico check \[PATH\]/);
  });
  test("portico ends with 2 and one block on a wrong call", async () => {
    const { code, out, err } = await portico("rnu");
    assert.deepEqual([code, out], [2, ""]);
    assert.match(err, /^error: the call is wrong\n\n {2}received {2}"rnu"\n/);
  });
  test("portico run and check end with 2 and one block on a wrong manifest", async (t) => {
    const home = folder(t, { "portico.json": '{ "services": {} }' });
    for (const word of ["run", "check"]) {
      const { code, out, err } = await portico(word, home);
      assert.deepEqual([code, out], [2, ""], word);
      assert.match(err, /^error: the manifest is wrong\n\n.*portico\.json:1:15 {2}services\n/);
    }
  });
  test("portico --json tells problems as JSON", async (t) => {
    const home = folder(t, { "portico.json": '{ "services": {} }' });
    const { code, err } = await portico("check", home, "--json");
    const { error } = JSON.parse(err);
    assert.equal(code, 2);
    assert.equal(error.code, "MANIFEST_INVALID");
    assert.deepEqual(error.problems[0].path, ["services"]);
    assert.equal(error.problems[0].line, 1);
  });
  test("portico check prints a line for each strategy, sink and endpoint, and binds nothing", async (t) => {
    const home = folder(t, {
      "portico.json": manifest({ listen: ["tcp://127.0.0.1:0", "unix:./e.sock"] }),
    });
    const { code, out, err } = await portico("check", home);
    assert.deepEqual([code, err], [0, ""]);
    assert.deepEqual(out.trimEnd().split("\n").map((line) => line.split(/ {2,}/)), [
      ["ok", "echo", "plugin echo", "strategy async", "all sessions share one state"],
      ["ok", "echo", "plugin echo", "sink console"],
      ["ok", "echo", "plugin echo", "tcp://127.0.0.1:0"],
      ["ok", "echo", "plugin echo", "unix:./e.sock"],
    ]);
    assert.equal(existsSync(join(home, "e.sock")), false);
  });
  test("portico check lets an optional sink lack what it needs, and says so", async (t) => {
    const log = { type: "file", path: "no/a.log", optional: true };
    const home = folder(t, { "portico.json": manifest({ log, listen: "tcp://127.0.0.1:0" }) });
    const { code, out } = await portico("check", home);
    assert.equal(code, 0);
    assert.match(out, /ok +echo +plugin echo +sink file +left out: .*ENOENT/);
  });
  test("portico check ends with 2 and says why this machine cannot", async (t) => {
    const home = folder(t, {
      "portico.json": manifest({
        log: { type: "file", path: "no/a.log" },
        listen: ["tls://127.0.0.1:0", "unix:./no/e.sock", {
          endpoint: "tcp://127.0.0.1:0",
          mode: "0600",
        }],
      }),
    });
    const { code, out } = await portico("check", home, "--json");
    const { ok, services } = JSON.parse(out);
    assert.deepEqual([code, ok], [2, false]);
    const lacks = services[0].findings.map((finding: { lacks: { reason: string }[] }) =>
      finding.lacks.map(({ reason }) => reason).join()
    );
    assert.equal(lacks[0], "");
    assert.match(lacks[1], /ENOENT/);
    assert.match(lacks[2], /later version/);
    assert.match(lacks[3], /ENOENT/);
    assert.match(lacks[4], /^mode: /);
  });
  test("portico doctor tells every transport, strategy and socket option", async () => {
    const { code, out } = await portico("doctor", "--json");
    const report = JSON.parse(out);
    assert.equal(code, 0);
    assert.equal(report.transports.tcp.can, true);
    assert.equal(report.strategies.async.can, true);
    assert.match(report.transports.tls.reason, /later version/);
    const options = new Set(report.options.map(({ option }: { option: string }) => option));
    assert.equal(options.size, 18);
    for (const entry of [...Object.values(report.transports), ...report.options]) {
      const { can, reason } = entry as { can: boolean; reason?: string };
      assert.ok(can || reason, JSON.stringify(entry));
    }
    const text = await portico("doctor");
    assert.match(text.out, /\n {2}keepAlive +tcp/);
  });
});

/** Servers that a failed test has left behind. */
const running = new Set<ChildProcess>();
after(() => running.forEach((child) => child.kill("SIGKILL")));

/** A server that runs, with its records as they come. */
async function serve(home: string, ...words: string[]): Promise<{
  /** Sends it a signal. Deno's child.kill() sends one only, and reports it as the end of the process. */
  signal(name: NodeJS.Signals): void;
  /** Its exit code and signal. */
  exited: Promise<unknown[]>;
  /** The next record of this event. */
  next(event: string): Promise<Record<string, unknown>>;
}> {
  const child = spawn(...command(MAIN, home, "--json", ...words), {
    stdio: ["ignore", "pipe", "inherit"],
    // Its control socket goes where the test's other files go.
    env: { ...process.env, XDG_RUNTIME_DIR: home },
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  // From the start: the end may be there before its last record has been read.
  const exited = once(child, "exit");
  const records = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  async function next(event: string): Promise<Record<string, unknown>> {
    for (;;) {
      const { value, done } = await records.next();
      if (done) throw new Error(`no record ${event} came`);
      const record = JSON.parse(value);
      if (record.event === event) return record;
    }
  }
  const start = await next("start");
  assert.equal(start["pid"], child.pid);
  await next("ready");
  return { exited, next, signal: (name) => void process.kill(child.pid!, name) };
}

describe("portico run", () => {
  test("portico run ends with 0 on SIGTERM, and says why it stops", async (t) => {
    const { exited, next, signal } = await serve(folder(t, { "portico.json": manifest() }));
    signal("SIGTERM");
    assert.equal((await next("stop"))["reason"], "SIGTERM");
    const [code, by] = await exited;
    assert.deepEqual([code, by], [0, null]);
  });
  test("portico run opens log files anew on SIGHUP, and writes a status record on SIGUSR2", async (t) => {
    const home = folder(t, {
      "portico.json": manifest({ log: ["console", { type: "file", path: "a.log" }] }),
    });
    const { exited, next, signal } = await serve(home);
    renameSync(join(home, "a.log"), join(home, "a.log.1"));
    signal("SIGHUP");
    await next("reload");
    signal("SIGUSR2");
    assert.equal((await next("status"))["service"], "echo");
    signal("SIGINT");
    await exited;
    const events = (file: string): unknown[] =>
      readFileSync(join(home, file), "utf8").trimEnd().split("\n").map((line) =>
        JSON.parse(line).event
      );
    assert.deepEqual(events("a.log.1"), ["start", "listening", "ready"]);
    assert.deepEqual(events("a.log"), ["reload", "status", "stop"]);
  });
  test("portico run closes at once on a second signal", async (t) => {
    const home = folder(t, { "portico.json": manifest({ limits: { drain: "none" } }) });
    const { exited, next, signal } = await serve(home);
    signal("SIGUSR2");
    const { endpoints } = await next("status") as { endpoints: string[] };
    const peer = connect(Number(endpoints[0]!.split(":").at(-1)), "127.0.0.1");
    // The server may reset it.
    peer.on("error", () => {});
    peer.write("x");
    await once(peer, "data");
    signal("SIGTERM");
    await next("drain");
    signal("SIGTERM");
    assert.equal((await next("stop"))["reason"], "SIGTERM");
    assert.deepEqual(await exited, [0, null]);
    peer.destroy();
  });
  test("portico run goes on when a plugin throws outside of its hooks", async (t) => {
    const home = folder(t, {
      "portico.json": manifest({ plugin: "./p.ts" }),
      "p.ts": `export default { name: "p", transports: ["stream"], start() {
  setTimeout(() => { Promise.reject(new Error("nobody awaits")); }, 20);
  setTimeout(() => { throw new Error("nobody catches"); }, 30);
  return { data() {} };
} };`,
    });
    const { exited, next, signal } = await serve(home);
    for (const message of ["nobody awaits", "nobody catches"]) {
      const record = await next("error");
      assert.deepEqual([record["message"], record["side"]], [message, "plugin"]);
    }
    signal("SIGTERM");
    const [code] = await exited;
    assert.equal(code, 0);
  });
  test("portico ctl finds a server by its manifest, changes it as it runs, and ends it", async (t) => {
    const home = folder(t, { "portico.json": manifest() });
    const { exited, next } = await serve(home);
    const ctl = async (...words: string[]): Promise<string> => {
      const { code, out, err } = await porticoWith(
        { XDG_RUNTIME_DIR: home },
        "ctl",
        ...words,
        "--manifest",
        home,
      );
      assert.deepEqual([code, err], [0, ""], words.join(" "));
      return out;
    };
    const { manifest: file, services: [echo] } = JSON.parse(await ctl("status", "--json"));
    assert.equal(file, join(home, "portico.json"));
    assert.deepEqual([echo.service, echo.state], ["echo", "running"]);
    assert.equal(await ctl("reload"), "reload: nothing changed; 1 unchanged\n");
    writeFileSync(file, manifest({ limits: { sessions: 5 } }));
    assert.equal(await ctl("reload"), "reload: changed echo; 0 unchanged\n");

    const second = await porticoWith({ XDG_RUNTIME_DIR: home }, "run", home, "--json");
    assert.equal(second.code, 1);
    assert.match(JSON.parse(second.err).error.message, /another server with this manifest/);
    assert.match(await ctl("status"), /\necho +running +async/);

    assert.equal(await ctl("stop"), "stop: echo\n");
    await next("stop");
    assert.deepEqual(await exited, [0, null]);
    assert.equal(readdirSync(join(home, "portico")).length, 0, "the control socket is gone");
  });
  test("portico run --watch reloads when a plugin has changed", async (t) => {
    const plugin = (answer: string): string =>
      `export default { name: "p", transports: ["stream"], start: () => ({
        data(session) { session.write("${answer}"); session.end(); },
      }) };`;
    const home = folder(t, {
      "portico.json": manifest({ plugin: "./p.ts" }),
      "p.ts": plugin("old"),
    });
    const { exited, next, signal } = await serve(home, "--watch");
    writeFileSync(join(home, "p.ts"), plugin("new"));
    await next("reload");
    signal("SIGUSR2");
    const { endpoints } = await next("status") as { endpoints: string[] };
    const peer = connect(Number(endpoints[0]!.split(":").at(-1)), "127.0.0.1");
    peer.write("x");
    const [answer] = await once(peer, "data");
    assert.equal(String(answer), "new");
    peer.destroy();
    signal("SIGTERM");
    await exited;
  });
  test("portico run ends with 1 when an address is in use, naming the service", async (t) => {
    const { exited, next, signal } = await serve(folder(t, { "portico.json": manifest() }));
    signal("SIGUSR2");
    const { endpoints } = await next("status") as { endpoints: string[] };
    const home = folder(t, { "portico.json": manifest({ listen: endpoints[0] }) });
    const { code, err } = await portico("run", home, "--json");
    assert.equal(code, 1);
    assert.equal(JSON.parse(err).error.code, "EADDRINUSE");
    assert.match(JSON.parse(err).error.message, /"echo"/);
    signal("SIGTERM");
    await exited;
  });
});
