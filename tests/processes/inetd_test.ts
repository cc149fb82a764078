/** Servers that are started by somebody who has opened their sockets: systemd, inetd, a launcher. */
import assert from "node:assert/strict";
import { existsSync, lstatSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { describe, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { BindableEndpoint, DatagramSocket } from "../../runtime/core/contract.ts";
import { Address, parseEndpoint } from "../../runtime/core/endpoint.ts";
import { ACCOUNTS, readUsers } from "../../runtime/identity/accounts.ts";
import { adapter } from "../support/adapter.ts";
import { lackingRoot } from "../support/permissions.ts";
import { command, MAIN } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { DatagramClient, dial, openUdp } from "../support/peers.ts";
import { lackingPrograms, Program } from "../support/program.ts";
import {
  failToStart,
  type JsonRecord,
  manifest,
  ServerProcess,
  startServer,
} from "../support/server-process.ts";
import { until } from "../support/until.ts";

const { descriptors, transports } = adapter.features;

/** Opens sockets from descriptor `first` on, as systemd does, and becomes the command: of the same pid. */
const LAUNCHER = `
import json, os, socket, sys
plan = json.loads(sys.argv[1])
kinds = {"tcp": (socket.AF_INET, socket.SOCK_STREAM), "udp": (socket.AF_INET, socket.SOCK_DGRAM),
         "unix": (socket.AF_UNIX, socket.SOCK_STREAM), "unixgram": (socket.AF_UNIX, socket.SOCK_DGRAM)}
early = []
for i, (kind, path) in enumerate(plan["sockets"]):
    one = socket.socket(*kinds[kind])
    one.bind(path or ("127.0.0.1", 0))
    if kind in ("tcp", "unix"):
        one.listen(16)
        if plan.get("early"):
            early.append(socket.socket(*kinds[kind]))
            early[-1].connect(one.getsockname())
            early[-1].sendall(b"early")
    os.dup2(one.fileno(), 100 + i)
    os.set_inheritable(100 + i, False)
for i in range(len(plan["sockets"])):
    os.dup2(100 + i, plan["first"] + i)
if early:
    # A child that hears what comes of it, and says so by its exit.
    if os.fork() == 0:
        os.closerange(plan["first"], plan["first"] + len(plan["sockets"]))
        heard = early[0].recv(100)
        open(plan["early"], "wb").write(heard)
        os._exit(0)
for name, value in plan["env"].items():
    os.environ[name] = str(os.getpid()) if value == "PID" else value
os.execvp(sys.argv[2], sys.argv[2:])
`;

type Kind = "tcp" | "unix" | "udp" | "unixgram";

interface Launch {
  readonly sockets: readonly (readonly [Kind, string?])[];
  readonly first?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Where what an early client was answered is written. */
  readonly early?: string;
}

/** The words that start a command with sockets of these. */
function through({ sockets, first = 3, env = {}, early }: Launch): readonly string[] {
  const plan = {
    sockets: sockets.map(([kind, path]) => [kind, path ?? ""]),
    first,
    env,
    ...(early !== undefined && { early }),
  };
  return ["python3", "-c", LAUNCHER, JSON.stringify(plan)];
}

/** What systemd sets for sockets of these names. */
function names(...list: readonly string[]): Record<string, string> {
  return {
    LISTEN_PID: "PID",
    LISTEN_FDS: String(list.length),
    LISTEN_FDNAMES: list.join(":"),
  };
}

/** A manifest of one echo, as a file. */
const echo = (service: object): { "portico.json": string } => ({
  "portico.json": manifest({ echo: { plugin: "echo", ...service } }),
});

/** A Unix datagram socket of our own. */
class UnixSender extends DatagramClient {
  readonly heard: string[] = [];
  #socket!: DatagramSocket;

  async open(t: TestContext, path: string): Promise<this> {
    this.#socket = await adapter.bind(
      parseEndpoint(`unixgram:${path}`) as BindableEndpoint,
      {
        datagram: (_, bytes) => {
          this.heard.push(new TextDecoder().decode(bytes));
          this.take(bytes);
        },
        failure: (_, error) => {
          throw error;
        },
      },
      {},
    );
    t.after(() => this.#socket.close());
    return this;
  }

  send(bytes: Uint8Array | string, endpoint: string): void {
    const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    const { path } = parseEndpoint(endpoint) as { path: string };
    this.#socket.send(data, new Address("unixgram", "", 0, path));
  }

  /** Waits for a message; those before it are looked at, too. */
  async says(text: string): Promise<void> {
    await this.when(text, () => this.heard.some((one) => one.split("\n").includes(text)));
  }

  protected override summary(): string {
    return JSON.stringify(this.heard);
  }
}

async function echoes(
  t: TestContext,
  server: ServerProcess,
  kind: Kind,
  text: string = kind,
): Promise<void> {
  const endpoint = server.endpoint("echo", kind);
  if (kind === "tcp" || kind === "unix") {
    const peer = await dial(t, endpoint);
    await peer.echo(text);
    peer.end();
    return await peer.over();
  }
  const sender = kind === "udp"
    ? await openUdp(t)
    : await new UnixSender().open(t, join(folder(t, {}), "me.sock"));
  assert.equal(new TextDecoder().decode(await sender.ask(text, endpoint)), text);
}

const skip = descriptors !== true ? descriptors.reason : lackingPrograms("python3");
const skipGrams = skip || (transports.unixgram !== true && transports.unixgram.reason);

describe("systemd:NAME", () => {
  test("systemd: is TCP, UDP, Unix and Unix datagrams, several of one name", {
    skip: skipGrams,
  }, async (t) => {
    const home = folder(t, echo({ listen: ["systemd:streams", "systemd:grams"] }));
    const [stream, gram] = [join(home, "a.sock"), join(home, "a.gram")];
    const server = await startServer(t, home, {
      through: through({
        sockets: [["tcp"], ["udp"], ["unix", stream], ["unixgram", gram]],
        env: names("streams", "grams", "streams", "grams"),
      }),
    });
    for (const kind of ["tcp", "udp", "unix", "unixgram"] as const) await echoes(t, server, kind);
    await server.stop();
    assert.equal(server.errors, "");
    // The files are systemd's: the next start uses the same sockets.
    assert.ok(lstatSync(stream).isSocket() && lstatSync(gram).isSocket());
  });
  test("systemd: serves who has come before it was started", { skip }, async (t) => {
    const home = folder(t, echo({ listen: "systemd:echo" }));
    const early = join(home, "heard");
    await startServer(t, home, {
      through: through({ sockets: [["tcp"]], env: names("echo"), early }),
    });
    await until("an answer", () => existsSync(early) && readFileSync(early, "utf8") !== "");
    assert.equal(readFileSync(early, "utf8"), "early");
  });
  for (const strategy of ["serial", "threads", "processes", "spawn"] as const) {
    test(`systemd: is served by ${strategy}`, { skip }, async (t) => {
      const concurrency = strategy === "threads" || strategy === "processes"
        ? { strategy, workers: 2 }
        : strategy;
      const home = folder(t, echo({ listen: ["systemd:echo"], concurrency }));
      const server = await startServer(t, home, {
        through: through({ sockets: [["tcp"], ["udp"]], env: names("echo", "echo") }),
      });
      await echoes(t, server, "tcp", strategy);
      await echoes(t, server, "udp", strategy);
      await server.stop();
    });
  }
  test("systemd: takes socket options that a bound socket can have", { skip }, async (t) => {
    const listen = { endpoint: "systemd:echo", backlog: 7, keepAlive: "30s" };
    const home = folder(t, echo({ listen }));
    const server = await startServer(t, home, {
      through: through({ sockets: [["tcp"]], env: names("echo") }),
    });
    await echoes(t, server, "tcp");
    await server.stop();
  });

  const FAILURES: [string, Record<string, string>, RegExp][] = [
    [
      "a name that was not passed",
      names("a", "b"),
      /systemd:echo: no socket of this name was passed; there are: a, b$/,
    ],
    [
      "sockets of another process",
      { ...names("echo", "echo"), LISTEN_PID: "1" },
      /systemd:echo: this process was not started by systemd's socket activation \(LISTEN_FDS /,
    ],
    [
      "more names than sockets",
      { ...names("echo", "echo"), LISTEN_FDNAMES: "a:b:c" },
      /LISTEN_FDNAMES is "a:b:c"; it has to be 2 names/,
    ],
  ];
  for (const [what, env, message] of FAILURES) {
    test(`systemd: refuses ${what}`, { skip }, async (t) => {
      const home = folder(t, echo({ listen: "systemd:echo" }));
      const start = through({ sockets: [["tcp"], ["tcp"]], env });
      const { code, block } = await failToStart(t, home, start);
      assert.ok(code === 1 || code === 2, String(code));
      assert.match(block, message);
    });
  }
  test(
    "systemd: refuses a socket of a kind that the plugin does not serve",
    { skip },
    async (t) => {
      const home = folder(t, {
        "portico.json": manifest({ s: { plugin: "./s.mjs", listen: "systemd:s" } }),
        "s.mjs":
          `export default { name: "s", transports: ["stream"], start: () => ({ data() {} }) };`,
      });
      const start = through({ sockets: [["udp"]], env: names("s") });
      const { block } = await failToStart(t, home, start);
      assert.match(block, /systemd:s is a datagram socket; the plugin s serves stream/);
    },
  );
});

describe("fd:N", () => {
  test("fd: is a listener or a datagram socket at that descriptor", { skip }, async (t) => {
    const home = folder(t, echo({ listen: ["fd:7", "fd:8"] }));
    const server = await startServer(t, home, {
      through: through({ sockets: [["tcp"], ["udp"]], first: 7 }),
    });
    await echoes(t, server, "tcp");
    await echoes(t, server, "udp");
    await server.stop();
  });
  test("fd: refuses what is not open", { skip }, async (t) => {
    const home = folder(t, echo({ listen: "fd:999" }));
    assert.match((await failToStart(t, home)).block, /fd:999: descriptor 999 is not open/);
  });
});

/** An xinetd with one service, which starts a server of this manifest; its log and the server's. */
class Xinetd {
  readonly port: number;
  readonly home: string;

  private constructor(home: string, port: number) {
    this.home = home;
    this.port = port;
  }

  static async start(t: TestContext, service: object, lines: readonly string[]): Promise<Xinetd> {
    const port = await freePort();
    const home = folder(t, {});
    const log = { type: "file", path: "portico.log", level: "debug" };
    const services = { echo: { plugin: "echo", listen: "stdio:", ...service } };
    // A console sink beside the file: it must not be heard by the peer.
    const text = JSON.stringify({ defaults: { log: [log, "console"] }, services });
    writeFileSync(join(home, "portico.json"), text);
    const [program, words] = command(MAIN, "run", home);
    const entries = [
      "type = UNLISTED",
      "disable = no",
      "bind = 127.0.0.1",
      `port = ${port}`,
      `user = ${readUsers(ACCOUNTS.passwd).find(({ uid }) => uid === process.getuid!())?.name}`,
      `server = ${program}`,
      `server_args = ${words.join(" ")}`,
      `log_type = FILE ${home}/xinetd.log`,
      "log_on_success = PID EXIT",
      ...lines,
    ];
    writeFileSync(
      join(home, "xinetd.conf"),
      `service portico-echo\n{\n${entries.map((line) => `\t${line}\n`).join("")}}\n`,
    );
    const files = ["-f", `${home}/xinetd.conf`, "-filelog", `${home}/main.log`];
    new Program(t, home, XINETD, "-dontfork", "-pidfile", `${home}/pid`, ...files);
    const xinetd = new Xinetd(home, port);
    await until(
      () => `xinetd to work: ${xinetd.read("main.log")}`,
      () => xinetd.read("main.log").includes("Started working: 1 available service"),
    );
    return xinetd;
  }

  read(name: string): string {
    const path = join(this.home, name);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }

  /** The records of all servers that it has started. */
  records(event: string): JsonRecord[] {
    return this.read("portico.log").split("\n").slice(0, -1)
      .map((line) => JSON.parse(line) as JsonRecord).filter((line) => line.event === event);
  }

  /** Waits until so many servers have ended, with 0. */
  async ended(count: number): Promise<void> {
    const exits = (): string[] => this.read("xinetd.log").match(/EXIT: .*/g) ?? [];
    await until(
      () => `${count} ends: ${this.read("xinetd.log")}${this.read("portico.log")}`,
      () => exits().length >= count,
    );
    for (const exit of exits()) assert.match(exit, / status=0 /);
    assert.equal(exits().length, count);
  }
}

const XINETD = "/usr/sbin/xinetd";
const skipInetd = descriptors !== true
  ? descriptors.reason
  : existsSync(XINETD)
  ? false
  : `${XINETD} is not installed`;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const STREAM = ["socket_type = stream", "protocol = tcp"];

describe("stdio:", () => {
  test(
    "stdio: is one connection of inetd, nowait: a process for each",
    { skip: skipInetd },
    async (t) => {
      const xinetd = await Xinetd.start(t, {}, [...STREAM, "wait = no"]);
      const peers = await Promise.all(
        [1, 2].map(() => dial(t, `tcp://127.0.0.1:${xinetd.port}`)),
      );
      await Promise.all(peers.map((peer, i) => peer.echo(`hello ${i}`)));
      for (const peer of peers) peer.end();
      for (const peer of peers) await peer.over();
      await xinetd.ended(2);
      // Nothing but the echo: the log goes where the peer is not.
      assert.deepEqual(peers.map(({ text, code }) => [text, code]), [
        ["hello 0", undefined],
        ["hello 1", undefined],
      ]);
      const opens = xinetd.records("open");
      const remotes = opens.map(({ remote }) => remote).toSorted();
      assert.deepEqual(remotes, peers.map(({ name }) => name).toSorted());
      assert.equal(xinetd.records("start").length, 2);
      assert.equal(xinetd.records("close").every(({ reason }) => reason === "peer"), true);
      assert.equal(xinetd.records("stop").length, 2);
    },
  );
  test("stdio: is a listening socket of inetd, wait: one process, until nobody comes", {
    skip: skipInetd,
  }, async (t) => {
    const service = { limits: { idle: "400ms" } };
    const xinetd = await Xinetd.start(t, service, [...STREAM, "wait = yes"]);
    const endpoint = `tcp://127.0.0.1:${xinetd.port}`;
    for (const round of [1, 2]) {
      const peers = await Promise.all([1, 2, 3].map(() => dial(t, endpoint)));
      await Promise.all(peers.map((peer, i) => peer.echo(`hello ${i}`)));
      for (const peer of peers) peer.end();
      for (const peer of peers) await peer.over();
      await xinetd.ended(round);
      assert.equal(xinetd.records("start").length, round, "one process for all that came");
      assert.equal(peers[2]!.text, "hello 2");
    }
    assert.equal(xinetd.records("open").length, 6);
  });
  test("stdio: is a datagram socket of inetd, wait", { skip: skipInetd }, async (t) => {
    const service = { limits: { idle: "400ms" } };
    const lines = ["socket_type = dgram", "protocol = udp", "wait = yes"];
    const xinetd = await Xinetd.start(t, service, lines);
    const endpoint = `udp://127.0.0.1:${xinetd.port}`;
    const sender = await openUdp(t);
    for (const round of [1, 2]) {
      for (const text of ["hello", "again"]) {
        assert.equal(new TextDecoder().decode(await sender.ask(text, endpoint)), text);
      }
      await xinetd.ended(round);
      assert.equal(xinetd.records("start").length, round);
    }
  });
  test(
    "stdio: refuses what is no socket",
    { skip: descriptors !== true && descriptors.reason },
    async (t) => {
      // Standard error is where its records go: here it is for the reason alone.
      const home = folder(t, echo({ listen: "stdio:", log: "none" }));
      const { block } = await failToStart(t, home, ["sh", "-c", 'exec "$0" "$@" < /dev/null']);
      assert.match(block, /stdio: descriptor 0 is no socket$/);
    },
  );
});

const EXAMPLE = fileURLToPath(new URL("../../examples/systemd", import.meta.url).href);

describe("examples/systemd", () => {
  const text = readFileSync(join(EXAMPLE, "portico.json"), "utf8");

  test("examples/systemd is started by its launcher, on TCP and UDP", { skip }, async (t) => {
    assert.ok(text.includes("python3 examples/systemd/activate.py npx portico run"));
    const home = folder(t, { "portico.json": text });
    const server = await startServer(t, home, {
      through: ["python3", join(EXAMPLE, "activate.py"), "--port", "0"],
    });
    await echoes(t, server, "tcp");
    await echoes(t, server, "udp");
    assert.ok(lstatSync(join(home, "control.sock")).isSocket());
    await server.stop();
  });
  test("examples/systemd is started by systemd-socket-activate, when somebody comes", {
    skip: skip || lackingPrograms("systemd-socket-activate"),
  }, async (t) => {
    const words = "systemd-socket-activate -l 127.0.0.1:7007 --fdname=echo";
    assert.ok(text.includes(`${words} npx portico run`));
    const home = folder(t, { "portico.json": text });
    const place = `127.0.0.1:${await freePort()}`;
    const server = new ServerProcess(home, {
      through: words.replace("127.0.0.1:7007", place).split(" "),
    });
    t.after(() => server.kill());
    await until(() => `it to listen: ${server.errors}`, () => server.errors.includes("Listening"));
    assert.equal(server.records.length, 0, "it is not started before");
    const peer = await dial(t, `tcp://${place}`);
    await peer.echo("hello");
    peer.end();
    await server.stop();
  });
  test("examples/systemd has units that systemd takes", {
    skip: lackingPrograms("systemd-analyze") ||
      !existsSync("/usr/bin/node") && "there is no /usr/bin/node",
  }, async (t) => {
    // What is to be installed is not there: the program stands for it.
    const home = folder(t, {});
    const units = ["portico-echo.service", "portico-echo.socket"];
    for (const unit of units) {
      writeFileSync(join(home, unit), readFileSync(join(EXAMPLE, unit), "utf8"));
    }
    const told = new Program(
      t,
      home,
      "systemd-analyze",
      "verify",
      ...units.map((unit) => `./${unit}`),
    );
    await told.ended();
    assert.deepEqual([told.code, told.text + told.errors], [0, ""]);
  });
});

describe("NOTIFY_SOCKET", () => {
  test("a server tells systemd how it goes", { skip: skipGrams }, async (t) => {
    const home = folder(t, echo({ listen: "tcp://127.0.0.1:0" }));
    const path = join(home, "notify.sock");
    const systemd = await new UnixSender().open(t, path);
    const server = await startServer(t, home, {
      env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "200000" },
    });
    await systemd.says("READY=1");
    await systemd.says("WATCHDOG=1");
    const before = systemd.heard.length;
    server.signal("SIGHUP");
    await systemd.says("RELOADING=1");
    await systemd.when(
      "READY=1 again",
      () => systemd.heard.slice(before).join().includes("READY=1"),
    );
    const reload = systemd.heard.findIndex((text) => text.startsWith("RELOADING=1"));
    assert.match(systemd.heard[reload]!, /\nMONOTONIC_USEC=\d+$/);
    await server.stop();
    await systemd.says("STOPPING=1");
    assert.match(systemd.heard[0]!, /^READY=1/);
    const order = systemd.heard.map((text) => text.split("\n")[0]!).filter((text) =>
      text !== "WATCHDOG=1"
    );
    assert.deepEqual(order, ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]);
  });
  test(
    "a server does not tell systemd that it is ready when it is not",
    { skip: skipGrams },
    async (t) => {
      const home = folder(t, echo({ listen: "fd:999" }));
      const path = join(home, "notify.sock");
      const systemd = await new UnixSender().open(t, path);
      const start = ["env", `NOTIFY_SOCKET=${path}`];
      await failToStart(t, home, start);
      assert.ok(!systemd.heard.join().includes("READY=1"), systemd.heard.join());
    },
  );
});

describe("user", () => {
  test(
    "a server becomes its user when its sockets are open",
    { skip: skip || lackingRoot },
    async (t) => {
      const home = folder(t, {
        "portico.json": JSON.stringify({
          user: 4001,
          group: 4002,
          umask: "027",
          control: false,
          services: { echo: { plugin: "echo", listen: "tcp://127.0.0.1:0", log: "json" } },
        }),
      });
      const server = await startServer(t, home);
      const status = readFileSync(`/proc/${server.pid}/status`, "utf8").replaceAll(/[\t ]+/g, " ");
      assert.match(status, /^Uid: 4001 4001 4001 4001$/m);
      assert.match(status, /^Gid: 4002 4002 4002 4002$/m);
      assert.match(status, /^Groups: 4002 ?$/m);
      assert.match(status, /^Umask: 0027$/m);
      await echoes(t, server, "tcp");
      process.kill(server.pid, "SIGTERM");
      assert.equal(await server.ended(), 0);
    },
  );
  test("the workers of a service become what it says", { skip: skip || lackingRoot }, async (t) => {
    const own = { user: 4001, group: 4002, umask: "077", nice: 3, env: { OWN: "x", TAKEN: null } };
    const listen = ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"];
    const concurrency = { strategy: "processes", workers: 1 };
    const home = folder(t, echo({ listen, concurrency, ...own }));
    const server = await startServer(t, home, { env: { TAKEN: "y", KEPT: "z" } });
    await echoes(t, server, "tcp");
    const { pid } = await server.record({ event: "worker", action: "started" });
    const of = (name: string): string => readFileSync(`/proc/${pid}/${name}`, "utf8");
    const status = of("status").replaceAll(/[\t ]+/g, " ");
    assert.match(status, /^Uid: 4001 4001 4001 4001$/m);
    assert.match(status, /^Gid: 4002 4002 4002 4002$/m);
    assert.match(status, /^Groups: 4002 ?$/m);
    assert.match(status, /^Umask: 0077$/m);
    // The name in parentheses may hold spaces: nice is the 17th field after it; proc_pid_stat(5).
    assert.equal(of("stat").replace(/^.*\) /, "").split(" ")[16], "3");
    const environ = of("environ").split("\0");
    assert.deepEqual(["OWN=x", "KEPT=z", "TAKEN=y"].map((one) => environ.includes(one)), [
      true,
      true,
      false,
    ]);
    assert.match(readFileSync(`/proc/${server.pid}/status`, "utf8"), /^Uid:\t0\t/m);
    await echoes(t, server, "udp");
    await server.stop();
  });
});
