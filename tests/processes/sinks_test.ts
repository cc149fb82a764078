/** Sinks of servers that run: files under load, standard streams in trouble, policies, records of workers. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { command, MAIN } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { askOnce } from "../support/peers.ts";
import { Program } from "../support/program.ts";
import type { Scope } from "../support/scope.ts";
import {
  failToStart,
  type JsonRecord,
  pluginPath,
  ServerProcess,
  startServer,
} from "../support/server-process.ts";
import { lackingWorkers, SAMPLE } from "../support/strategies.ts";
import { until } from "../support/until.ts";
import { sendSignal } from "../support/proc.ts";

const TCP = "tcp://127.0.0.1:0";
const LOG = { type: "file", path: "a.log" };

function write(services: object, more: object = {}): Record<string, string> {
  return { "portico.json": JSON.stringify({ control: false, services, ...more }) };
}
const PROBE = { plugin: pluginPath("probe"), listen: TCP, options: { form: "commands" } };
const one = (log: unknown, more: object = {}) => write({ a: { ...PROBE, log, ...more } });

/** The records of a log file; a line that is none fails. */
function records(path: string): JsonRecord[] {
  if (!existsSync(path)) return [];
  const bytes = readFileSync(path);
  const text = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString();
  return text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
}

/** A log with all the files that were put aside, in order. */
function whole(home: string): JsonRecord[] {
  const files = readdirSync(home).filter((name) => /^a\.log\.\d{8}-\d{6}\.\d{3}/.test(name)).sort();
  return [...files, "a.log"].flatMap((name) => records(join(home, name)));
}

/** Where a server listens, by its log file. */
async function endpointIn(path: string): Promise<string> {
  const find = () => records(path).find(({ event }) => event === "listening")?.["endpoint"];
  await until(`the endpoint in ${path}`, () => find() !== undefined);
  return String(find());
}

/** A server that a shell starts, in a pipe or with redirections: `portico` is the command. */
function shell(scope: Scope, home: string, line: string): Program {
  const [program, words] = command(MAIN, "run", home, "--json");
  const portico = [program, ...words].map((word) => `'${word}'`).join(" ");
  return new Program(scope, home, "sh", "-c", line.replace("portico", portico));
}

describe("records of workers", () => {
  for (const strategy of SAMPLE) {
    test(`${strategy}: each reaches a rotating file once, in order, and none is torn`, async (t) => {
      const many = strategy !== "spawn";
      const [sessions, each] = many ? [60, 40] : [6, 100];
      const rotate = { size: "20KB", keep: 1000, gzip: true };
      const pool = strategy === "threads" || strategy === "processes";
      const concurrency = { strategy, ...(pool && { workers: 4 }) };
      const home = folder(t, one(["json", { ...LOG, rotate }], { concurrency }));
      const server = await startServer(t, home);
      const endpoint = server.endpoint("a", "tcp");
      const peers = Array.from({ length: sessions }, () => askOnce(t, endpoint, `log ${each}`));
      await Promise.all(peers);
      await server.count(sessions, { event: "close" });
      await server.stop();
      const found = whole(home);
      assert.deepEqual(found, server.records, "the file has what standard output has");
      const bySession = Map.groupBy(found, ({ session }) => session);
      bySession.delete(undefined);
      assert.equal(bySession.size, sessions);
      // A word of setup and one of finish are about the numbers.
      const numbers = Array.from({ length: each }, (_, n) => n + 1);
      const expected = ["open", "log", ...numbers, "log", "close"];
      for (const list of bySession.values()) {
        assert.deepEqual(list.map((one) => one["number"] ?? one.event), expected);
      }
      const aside = readdirSync(home).filter((name) => name.endsWith(".gz"));
      assert.ok(aside.length >= 2, `${aside.length} files were put aside`);
    });
  }
});

describe("policies", () => {
  test("several sinks of one service have what they ask for, under workers too", async (t) => {
    const services = {
      a: {
        ...PROBE,
        concurrency: { strategy: "threads", workers: 2 },
        log: [
          "json",
          { type: "file", path: "all.log", level: "debug" },
          { type: "audit", events: ["open", "close"], fields: ["host", "traffic"] },
          { type: "file", path: "warn.log", level: "warn" },
          { type: "file", path: "some.log", events: ["open", "close"], sample: 0.5 },
        ],
      },
      b: { plugin: "echo", listen: TCP, log: "audit" },
    };
    const sinks = { audit: { type: "file", path: "audit.log" } };
    const home = folder(t, write(services, { sinks }));
    const server = await startServer(t, home);
    const endpoint = server.endpoint("a", "tcp");
    for (let n = 0; n < 40; n++) await askOnce(t, endpoint, n === 7 ? "throw-later" : "log 1");
    await server.count(40, { event: "close" });
    await server.stop();
    const read = (name: string) => records(join(home, `${name}.log`));
    const events = (list: JsonRecord[]) => [...new Set(list.map(({ event }) => event))].sort();
    assert.ok(events(read("all")).includes("worker"));
    assert.equal(read("all").filter(({ event }) => event === "open").length, 40);
    // What concerns the whole server a sink is told for any of its services.
    const audit = read("audit").filter(({ service }) => service === "a");
    assert.deepEqual(events(audit), ["close", "open"]);
    const keys = audit.map((line) => Object.keys(line).slice(5).join());
    assert.deepEqual([...new Set(keys)].sort(), ["remote", "remote,bytesIn,bytesOut"]);
    assert.equal(audit.length, 80);
    assert.ok(read("audit").some(({ event, service }) => event === "listening" && service === "b"));
    const warnings = read("warn");
    assert.deepEqual(warnings.map(({ event, level }) => [event, level]), [["error", "error"]]);
    const some = Map.groupBy(read("some"), ({ session }) => session);
    assert.ok(some.size > 10 && some.size < 30, `${some.size} of 40 sessions`);
    for (const list of some.values()) {
      assert.deepEqual(list.map(({ event }) => event), ["open", "close"]);
    }
  });

  for (const strategy of SAMPLE.filter((one) => one !== "serial")) {
    test(`${strategy}: user is who the peer of a Unix stream is, where a sink asks`, {
      skip: lackingWorkers,
    }, async (t) => {
      const service = (path: string, log: unknown) => ({
        ...PROBE,
        listen: [`unix:./${path}`, TCP],
        concurrency: { strategy },
        log,
      });
      const fields = ["host", "user", "exit"];
      const home = folder(
        t,
        write({
          a: service("a.sock", ["json", { ...LOG, fields }]),
          b: service("b.sock", ["json", { ...LOG, events: ["open", "close"] }]),
        }),
      );
      const server = await startServer(t, home);
      for (const name of ["a", "b"]) {
        for (const transport of ["unix", "tcp"]) {
          await askOnce(t, server.endpoint(name, transport), "log 1");
        }
      }
      await server.count(4, { event: "close" });
      await server.stop();
      const found = records(join(home, "a.log")).filter(({ event }) => event === "open");
      const told = found.map(({ service, remote, uid, gid, pid }) => [
        service,
        String(remote).replace(/:.*/, ""),
        uid,
        gid,
        pid,
      ]);
      const me = [process.getuid!(), process.getgid!(), process.pid];
      const nobody = [undefined, undefined, undefined];
      assert.deepEqual(told.sort(), [
        ["a", "tcp", ...nobody],
        ["a", "unix", ...me],
        ["b", "tcp", ...nobody],
        ["b", "unix", ...nobody],
      ]);
      const closed = records(join(home, "a.log")).filter(({ event, service }) =>
        event === "close" && service === "a"
      );
      assert.deepEqual(closed.map((line) => Object.keys(line).slice(5)), [
        ["remote", "reason"],
        ["remote", "reason"],
      ]);
    });
  }

  test("a sink that cannot be opened stops the start, unless it is optional", async (t) => {
    const bad = { type: "file", path: "no/such/a.log" };
    const { code, block } = await failToStart(t, folder(t, one(["json", bad])));
    assert.equal(code, 1);
    assert.match(block, /Cannot open .*no\/such\/a\.log as a log file/);
    const home = folder(t, one(["json", { ...bad, optional: true }]));
    const server = await startServer(t, home);
    await askOnce(t, server.endpoint("a", "tcp"), "log 1");
    await server.stop();
    assert.match(server.errors, /^portico: the sink file is left out: Cannot open [^\n]*\n$/);
  });
});

describe("log files", () => {
  test("after mv and SIGHUP records go on in a new file; none is lost", async (t) => {
    const home = folder(t, one(["json", LOG]));
    const path = join(home, "a.log");
    const server = await startServer(t, home);
    const endpoint = server.endpoint("a", "tcp");
    for (let turn = 1; turn <= 3; turn++) {
      await Promise.all(Array.from({ length: 5 }, () => askOnce(t, endpoint, "log 20")));
      renameSync(path, `${path}.${turn}`);
      await askOnce(t, endpoint, "log 20");
      server.signal("SIGHUP");
      await server.count(turn, { event: "reload" });
    }
    await server.stop();
    const parts = [1, 2, 3].map((turn) => records(`${path}.${turn}`));
    for (const part of parts) assert.ok(part.length > 100);
    assert.deepEqual([...parts.flat(), ...records(path)], server.records);
  });

  test("while its folder is gone a server serves; then it says how many records were lost", async (t) => {
    const home = folder(t, { ...one(["json", { type: "file", path: "log/a.log" }]), "log/x": "" });
    const path = join(home, "log/a.log");
    const server = await startServer(t, home);
    const endpoint = server.endpoint("a", "tcp");
    rmSync(join(home, "log"), { recursive: true });
    while (server.errors === "") await askOnce(t, endpoint, "log 1");
    assert.match(server.errors, /^portico: cannot write to .*ENOENT.*\n$/);
    await askOnce(t, endpoint, "log 20000");
    mkdirSync(join(home, "log"));
    const lost = () =>
      records(path).flatMap(({ message }) =>
        /^(\d+) records were lost/.exec(String(message))?.[1] ?? []
      );
    await until("the notice", () => lost().length === 1);
    assert.ok(Number(lost()[0]) > 1000);
    await askOnce(t, endpoint, "log 1");
    await until("the last record", () => records(path).at(-1)?.event === "close");
    await server.stop();
  });

  test("a full disk is recovered from, without a torn line", async (t) => {
    const home = folder(t, {
      ...one(["json", { type: "file", path: "disk/a.log" }]),
      "disk/x": "",
    });
    const disk = join(home, "disk");
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], { stdio: "ignore" });
    } catch {
      return t.skip("mount(8) of a tmpfs is not allowed here");
    }
    try {
      const server = await startServer(t, home);
      const endpoint = server.endpoint("a", "tcp");
      await askOnce(t, endpoint, "log 1000");
      await until("the report", () => server.errors !== "");
      await askOnce(t, endpoint, "log 20000");
      assert.match(server.errors, /^portico: cannot write to .*ENOSPC.*\n$/);
      // Now there is room.
      execFileSync("mount", ["-o", "remount,size=64m", disk], { stdio: "ignore" });
      const path = join(disk, "a.log");
      const notice = () => records(path).find(({ message }) => /were lost/.test(String(message)));
      await until("the notice", () => notice() !== undefined);
      await askOnce(t, endpoint, "log 1");
      await server.count(3, { event: "close" });
      await server.stop();
      const found = records(path);
      const kept = found.filter(({ event }) => event === "log").length;
      const lost = Number(/^\d+/.exec(String(notice()!["message"])));
      const all = found.length - 1 + lost;
      assert.equal(all, server.records.length, "what was written and what was lost is all");
      assert.ok(kept > 1000 && lost > 1000);
    } finally {
      execFileSync("umount", ["-l", disk]);
    }
  });
});

describe("standard output", () => {
  test("portico | head: the server goes on, and ends in order", async (t) => {
    const home = folder(t, one(["json", LOG]));
    const program = shell(t, home, "portico | head -n 1; echo over");
    const endpoint = await endpointIn(join(home, "a.log"));
    for (let n = 0; n < 20; n++) await askOnce(t, endpoint, "log 100");
    const pid = Number(records(join(home, "a.log"))[0]!["pid"]);
    sendSignal(pid, "SIGTERM");
    await program.when("the end", () => program.code !== undefined);
    assert.equal(records(join(home, "a.log")).at(-1)!.event, "stop");
    assert.equal(program.text.trim().split("\n").length, 2);
    assert.equal(program.errors, "");
  });

  for (
    const to of [">/dev/full", "2>&1 >/dev/full", ">/dev/full 2>&1", ">&- 2>&-", "<&- >&- 2>&-"]
  ) {
    const skip = existsSync("/dev/full") ? false : "there is no /dev/full";
    test(`portico ${to}: the server serves, and ends with 0`, { skip }, async (t) => {
      const home = folder(t, one(["json", LOG]));
      const program = shell(t, home, `exec portico ${to}`);
      const endpoint = await endpointIn(join(home, "a.log"));
      for (let n = 0; n < 5; n++) await askOnce(t, endpoint, "log 100");
      const pid = Number(records(join(home, "a.log"))[0]!["pid"]);
      sendSignal(pid, "SIGTERM");
      await program.when("the end", () => program.code !== undefined);
      assert.equal(program.code, 0, program.errors);
      assert.equal(records(join(home, "a.log")).at(-1)!.event, "stop");
      const told = program.errors + program.text;
      const expected = to.startsWith(">/dev/full") && !to.includes("2>")
        ? /^portico: cannot write to standard output: ENOSPC[^\n]*\n$/
        : to.startsWith("2>&1")
        ? /^portico: cannot write to standard output: ENOSPC[^\n]*\n$/
        : /^$/;
      assert.match(told, expected);
    });
  }

  test("a reader that stops delays no session, costs bounded memory, and hears what was lost", async (t) => {
    const home = folder(t, one(["json", { ...LOG, events: ["start", "listening"] }]));
    const server = new ServerProcess(home, { reading: false });
    t.after(() => server.kill());
    const endpoint = await endpointIn(join(home, "a.log"));
    const count = 250_000;
    await askOnce(t, endpoint, `log ${count}`);
    await askOnce(t, endpoint, "log 1");
    server.read();
    // Each record is looked at once: there are many.
    let looked = 0;
    const notice = (): boolean => {
      for (; looked < server.records.length; looked++) {
        if (/records were lost/.test(String(server.records[looked]!["message"]))) return true;
      }
      return false;
    };
    await server.when("the notice", notice, 20_000);
    server.signal("SIGTERM");
    assert.equal(await server.ended(), 0);
    const found = server.records;
    const lost = found.flatMap(({ message }) =>
      /^(\d+) records? w/.exec(String(message))?.[1] ?? []
    )
      .reduce((sum, part) => sum + Number(part), 0);
    const logged = found.filter(({ event }) => event === "log").length;
    const closed = found.filter(({ event }) => event === "close").length;
    assert.ok(logged > 1000 && lost > 1000, `${logged} logged, ${lost} lost`);
    // Of the two sessions' records some may be among those that were lost.
    assert.ok(logged + lost >= count + 1 && logged + lost <= count + 1 + 8, `${logged + lost}`);
    assert.ok(closed <= 2);
  });

  test("a reader that stops for good does not hold up the end", async (t) => {
    const home = folder(t, one(["json", { ...LOG, events: ["start", "listening"] }]));
    const server = new ServerProcess(home, { reading: false });
    t.after(() => server.kill());
    const endpoint = await endpointIn(join(home, "a.log"));
    await askOnce(t, endpoint, "log 20000");
    server.signal("SIGTERM");
    assert.equal(await server.exited(), 0);
  });
});

test("a warning is out when a server has stopped, however late its reader is", async (t) => {
  const bad = { type: "file", path: "no/such/b.log", optional: true };
  const home = folder(t, one([LOG, bad]));
  const path = join(home, "errors");
  execFileSync("mkfifo", [path]);
  const { O_RDWR, O_NONBLOCK } = constants;
  const errors = openSync(path, O_RDWR | O_NONBLOCK);
  t.after(() => closeSync(errors));
  const block = new Uint8Array(4096);
  const full = (): boolean => {
    try {
      return writeSync(errors, block) < 0;
    } catch {
      return true;
    }
  };
  while (!full());
  const program = shell(t, home, `exec portico 2>${path}`);
  await endpointIn(join(home, "a.log"));
  sendSignal(Number(records(join(home, "a.log"))[0]!["pid"]), "SIGTERM");
  await until("the last record", () => records(join(home, "a.log")).at(-1)?.event === "stop");
  // Nobody has read until now.
  let text = "";
  const read = (): string => {
    try {
      const bytes = block.subarray(0, readSync(errors, block));
      text += new TextDecoder().decode(bytes).replaceAll("\0", "");
    } catch {
      // Nothing is in the pipe at this moment.
    }
    return text;
  };
  await until("the end", () => read() !== "" && program.code !== undefined);
  assert.match(text, /^portico: the sink file is left out: Cannot open [^\n]*\n$/);
  assert.equal(program.code, 0);
});
