import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseCall } from "../runtime/terminal/args.ts";
import { columns } from "../runtime/terminal/output.ts";
import { command, MAIN, portico, runToEnd } from "./support/command.ts";
import { formatPath } from "../runtime/values/problem.ts";
import { folder } from "./support/folder.ts";

const ECHO = { plugin: "echo", listen: "tcp://127.0.0.1:0" };

function manifest(service: object = {}): string {
  return JSON.stringify({ services: { echo: { ...ECHO, ...service } } });
}

test("a device is no manifest: it may have no end", async () => {
  const { code, err } = await portico("check", "/dev/zero");
  assert.equal(code, 2);
  assert.match(err, /^\/dev\/zero\n +received +a device\n +expected +a file that can be read$/m);
});

describe("standard output", () => {
  const shell = (line: string) => {
    const [program, words] = command(MAIN, "doctor", "--json");
    return runToEnd(["sh", ["-c", line, "sh", program, ...words]]);
  };

  test("that nobody reads is no failure", async () => {
    const { err } = await shell('("$@"; echo "ended with $?" >&2) | true');
    assert.equal(err, "ended with 0\n");
  });

  test("that is full is one, and no bug", async () => {
    const { code, err } = await shell('"$@" > /dev/full');
    assert.equal(code, 1, err);
    const { error } = JSON.parse(err) as { error: { message: string } };
    assert.match(error.message, /^standard output cannot be written: .*[Nn]o space left/);
  });
});

describe("parseCall", () => {
  const one = {
    plugin: undefined,
    listen: [],
    set: [],
    strategy: undefined,
    log: [],
    control: undefined,
  };
  const run = {
    command: "run",
    path: ".",
    json: false,
    watch: false,
    stats: false,
    ...one,
  } as const;
  const ctl = { command: "ctl", manifest: ".", socket: undefined, json: false } as const;
  const table: [string, ReturnType<typeof parseCall>][] = [
    ["", run],
    ["run", run],
    ["./a", { ...run, path: "./a" }],
    ["run a --json", { ...run, path: "a", json: true }],
    ["--watch ./a", { ...run, path: "./a", watch: true }],
    ["--json check a", { command: "check", path: "a", json: true, permissions: false, ...one }],
    [
      "run --plugin echo --listen a --listen=b --set x=1 --strategy serial --log none --control c",
      {
        ...run,
        plugin: "echo",
        listen: ["a", "b"],
        set: ["x=1"],
        strategy: "serial",
        log: ["none"],
        control: "c",
      },
    ],
    ["doctor", { command: "doctor", json: false }],
    ["--help", { command: "help", topic: undefined, verb: undefined, json: false }],
    ["check -h", { command: "help", topic: "check", verb: undefined, json: false }],
    ["ctl --help", { command: "help", topic: "ctl", verb: undefined, json: false }],
    ["ctl upgrade --help", { command: "help", topic: "ctl", verb: "upgrade", json: false }],
    ["help ctl stop", { command: "help", topic: "ctl", verb: "stop", json: false }],
    ["--version", { command: "version", json: false }],
    ["-V --json", { command: "version", json: true }],
    ["ctl status", { ...ctl, verb: "status", service: undefined }],
    ["ctl drain echo --json", { ...ctl, verb: "drain", service: "echo", json: true }],
    ["ctl stop --manifest a", { ...ctl, verb: "stop", service: undefined, manifest: "a" }],
    ["ctl --socket=/s reload", { ...ctl, verb: "reload", socket: "/s" }],
    ["ctl list", { ...ctl, verb: "list" }],
    ["ctl restart echo", { ...ctl, verb: "restart", service: "echo" }],
    ["ctl logs --lines 3 --no-follow", {
      ...ctl,
      verb: "logs",
      service: undefined,
      level: undefined,
      lines: "3",
      "no-follow": true,
    }],
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
      '--jsn\n  expected  an option: --help, --version, --json, --watch, --stats, --plugin, --listen, --set, --strategy, --log, --control\n  hint      did you mean "--json"?',
    ],
    ["--json=yes", "--json=yes\n  expected  --json, which takes no value"],
    [
      "chekc",
      '"chekc"\n  expected  a command: run, check, explain, doctor, ctl, new, import, compile, schema, completion, help; or the path of a manifest\n  hint      did you mean "check"?',
    ],
    [
      "explain a",
      "nothing after explain a\n  expected  SERVICE",
    ],
    [
      "check --watch",
      "--watch\n  expected  an option of check: --help, --version, --json, --permissions, --plugin, --listen, --set, --strategy, --log, --control\n  hint      --watch is an option of run",
    ],
    [
      "ctl",
      "nothing after ctl\n  expected  one of list, status, health, logs, top, bans, ban, unban, reload, suspend, resume, drain, stop, restart, upgrade",
    ],
    [
      "ctl rseume",
      '"rseume"\n  expected  one of list, status, health, logs, top, bans, ban, unban, reload, suspend, resume, drain, stop, restart, upgrade\n  hint      did you mean "resume"?',
    ],
    [
      "ctl restart",
      "nothing after ctl restart\n  expected  SERVICE\n  hint      portico ctl upgrade is for the whole server",
    ],
    [
      "ctl list --socket a",
      "--socket\n  expected  an option of ctl list: --help, --version, --json\n  hint      --socket is an option of ctl",
    ],
    [
      "ctl logs --level wran",
      '--level "wran"\n  expected  one of debug, info, warn, error\n  hint      did you mean "warn"?',
    ],
    ["ctl stop a b", '"b"\n  expected  one SERVICE, and nothing after "a"'],
    [
      "ctl reload a",
      '"a"\n  expected  nothing after ctl reload',
    ],
    [
      "ctl stop --to bun",
      "--to\n  expected  an option of ctl stop: --help, --version, --json, --manifest, --socket\n  hint      --to is an option of ctl upgrade",
    ],
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
    [
      "run --listen tcp://*:0",
      "--listen ADDRESS without --plugin\n  expected  --plugin PLUGIN beside it",
    ],
    [
      "run a --plugin echo --listen tcp://*:0",
      '--plugin and "a"\n  expected  one of them: both say what is run',
    ],
    [
      "run --plugin echo --listen tcp://*:0 --strategy thread",
      '--strategy "thread"\n  expected  one of serial, async, threads, processes, spawn\n  hint      did you mean "threads"?',
    ],
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
    assert.match(help.out, /portico \[run\] \[PATH\]: runs.*--watch.*SIGHUP/s);
    assert.match((await portico("help")).out, /portico check \[PATH\]/);
    const wrong = await portico("help", "ctl", "rseume");
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /received {2}"rseume".*did you mean "resume"/s);
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
        tls: { cert: "no.crt", key: "no.key" },
        listen: [{ endpoint: "unix:./no/e.sock", tls: true }, {
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
    assert.match(lacks[2], /no\.crt: no such file/);
    assert.match(lacks[3], /ENOENT/);
    assert.match(lacks[4], /^mode: /);
  });
  test("portico check refuses a path of a socket that is taken by something else", async (t) => {
    const home = folder(t, {
      "folder/x": "",
      "file": "",
      "portico.json": JSON.stringify({
        control: "unix:./folder",
        services: {
          one: {
            plugin: "echo",
            listen: ["unixgram:./file", "unix:./file/below", "unix:./free"],
          },
          two: { plugin: "echo", listen: "unix:/tmp" },
        },
      }),
    });
    const { code, out } = await portico("check", home, "--json");
    const { ok, control, services } = JSON.parse(out);
    assert.deepEqual([code, ok], [2, false]);
    const reasons = (at: number): string[] =>
      services[at].findings.slice(2).map(({ lacks }: { lacks: { reason: string }[] }) =>
        lacks.map(({ reason }) => reason).join()
      );
    assert.match(control.lacks[0].reason, /folder is a folder$/);
    const [file, below, free] = reasons(0);
    assert.match(file!, /file is a file that is no socket$/);
    assert.match(below!, /ENOTDIR/);
    assert.equal(free, "");
    assert.deepEqual(reasons(1), ["/tmp is a folder"]);
    const text = await portico("check", home);
    assert.match(
      text.out,
      /^no +control +unix:.*is a folder; name a path where nothing is \(portico\.json:\d+:\d+ control\)$/m,
    );
    assert.match(text.out, /^no +two +plugin echo +unix:\/tmp +\/tmp is a folder; name/m);
  });
  test("portico check refuses a NUL wherever a name or a path is", async (t) => {
    const wrong = {
      "services.one.listen[0]": { listen: ["tcp://local\0host:0"] },
      "services.one.listen": { listen: "unix:./a\0b" },
      "services.one.listen.device": { listen: { endpoint: "tcp://*:0", device: "l\0" } },
      "services.one.plugin": { plugin: "./a\0.ts", listen: "tcp://127.0.0.1:0" },
      "services.one.log.path": {
        listen: "tcp://127.0.0.1:0",
        log: { type: "file", path: "a\0b" },
      },
      "services.one.log": { listen: "tcp://127.0.0.1:0", log: "./a\0.ts" },
      "services.one.log.to": {
        listen: "tcp://127.0.0.1:0",
        log: { type: "syslog", to: "udp://a\0b:1" },
      },
    };
    for (const [place, service] of Object.entries(wrong)) {
      const home = folder(t, {
        "portico.json": JSON.stringify({ services: { one: { plugin: "echo", ...service } } }),
      });
      const { code, err } = await portico("check", home, "--json");
      assert.equal(code, 2, `${place}: ${err}`);
      const { problems } = JSON.parse(err).error;
      assert.equal(formatPath(problems[0].path), place);
    }
  });
  test("portico doctor tells every transport, strategy and socket option", async () => {
    const { code, out } = await portico("doctor", "--json");
    const report = JSON.parse(out);
    assert.equal(code, 0);
    assert.equal(report.transports.tcp.can, true);
    assert.equal(report.strategies.async.can, true);
    assert.equal(report.transports.tls.can, true);
    const options = new Set(report.options.map(({ option }: { option: string }) => option));
    assert.equal(options.size, 18);
    for (const entry of [...Object.values(report.transports), ...report.options]) {
      const { can, reason } = entry as { can: boolean; reason?: string };
      assert.ok(can || reason, JSON.stringify(entry));
    }
    const { firstByte, idle, progress, handshake, handshakes } = report.deadlines;
    assert.deepEqual([firstByte.default, idle.default, progress.default], ["5m", "1h", "256B/2m"]);
    assert.deepEqual([handshake.default, handshakes.default], ["10s", "1000"]);
    const text = await portico("doctor");
    assert.match(text.out, /\n {2}keepAlive +tcp/);
    assert.match(text.out, /\n {2}idle +1h +who has fallen silent/);
  });
});
