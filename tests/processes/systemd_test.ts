/** Servers whose sockets systemd, or a launcher like it, has opened; and what they tell it. */
import assert from "node:assert/strict";
import { existsSync, lstatSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { lackingFeature, lackingTransport } from "../support/adapter.ts";
import { assertEchoes, echoManifest } from "../support/echo.ts";
import { folder } from "../support/folder.ts";
import { systemdNames, withSockets } from "../support/launcher.ts";
import { type DatagramClient, dial, openUnix } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import { lackingPrograms } from "../support/packages.ts";
import { Program } from "../support/program.ts";
import { failToStart, manifest, ServerProcess, startServer } from "../support/server-process.ts";
import { until } from "../support/until.ts";

const skip = lackingFeature("descriptors") || lackingPrograms("python3");
const skipGrams = skip || lackingTransport("unixgram");

describe("systemd:NAME", () => {
  test("systemd: is TCP, UDP, Unix and Unix datagrams, several of one name", {
    skip: skipGrams,
  }, async (t) => {
    const home = folder(t, echoManifest({ listen: ["systemd:streams", "systemd:grams"] }));
    const [stream, gram] = [join(home, "a.sock"), join(home, "a.gram")];
    const server = await startServer(t, home, {
      through: withSockets({
        sockets: [["tcp"], ["udp"], ["unix", stream], ["unixgram", gram]],
        env: systemdNames("streams", "grams", "streams", "grams"),
      }),
    });
    for (const kind of ["tcp", "udp", "unix", "unixgram"] as const) {
      await assertEchoes(t, server, kind);
    }
    await server.stop();
    assert.equal(server.errors, "");
    // The files are systemd's: the next start uses the same sockets.
    assert.ok(lstatSync(stream).isSocket() && lstatSync(gram).isSocket());
  });
  test("systemd: serves who has come before it was started", { skip }, async (t) => {
    const home = folder(t, echoManifest({ listen: "systemd:echo" }));
    const early = join(home, "heard");
    await startServer(t, home, {
      through: withSockets({ sockets: [["tcp"]], env: systemdNames("echo"), early }),
    });
    await until("an answer", () => existsSync(early) && readFileSync(early, "utf8") !== "");
    assert.equal(readFileSync(early, "utf8"), "early");
  });
  for (const strategy of ["serial", "threads", "processes", "spawn"] as const) {
    test(`systemd: is served by ${strategy}`, { skip }, async (t) => {
      const concurrency = strategy === "threads" || strategy === "processes"
        ? { strategy, workers: 2 }
        : strategy;
      const home = folder(t, echoManifest({ listen: ["systemd:echo"], concurrency }));
      const server = await startServer(t, home, {
        through: withSockets({ sockets: [["tcp"], ["udp"]], env: systemdNames("echo", "echo") }),
      });
      await assertEchoes(t, server, "tcp", strategy);
      await assertEchoes(t, server, "udp", strategy);
      await server.stop();
    });
  }
  test("systemd: takes socket options that a bound socket can have", { skip }, async (t) => {
    const listen = { endpoint: "systemd:echo", backlog: 7, keepAlive: "30s" };
    const home = folder(t, echoManifest({ listen }));
    const server = await startServer(t, home, {
      through: withSockets({ sockets: [["tcp"]], env: systemdNames("echo") }),
    });
    await assertEchoes(t, server, "tcp");
    await server.stop();
  });

  const FAILURES: [string, Record<string, string>, RegExp][] = [
    [
      "a name that was not passed",
      systemdNames("a", "b"),
      /systemd:echo: no socket of this name was passed; there are: a, b \(services\.echo\.listen\)\nat .*portico\.json:1:\d+$/,
    ],
    [
      "sockets of another process",
      { ...systemdNames("echo", "echo"), LISTEN_PID: "1" },
      /systemd:echo: this process was not started by systemd's socket activation \(LISTEN_FDS /,
    ],
    [
      "more names than sockets",
      { ...systemdNames("echo", "echo"), LISTEN_FDNAMES: "a:b:c" },
      /LISTEN_FDNAMES is "a:b:c"; it has to be 2 names/,
    ],
  ];
  for (const [what, env, message] of FAILURES) {
    test(`systemd: refuses ${what}`, { skip }, async (t) => {
      const home = folder(t, echoManifest({ listen: "systemd:echo" }));
      const start = withSockets({ sockets: [["tcp"], ["tcp"]], env });
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
      const start = withSockets({ sockets: [["udp"]], env: systemdNames("s") });
      const { block } = await failToStart(t, home, start);
      assert.match(block, /systemd:s is a datagram socket; the plugin s serves stream/);
    },
  );
});

describe("fd:N", () => {
  test("fd: is a listener or a datagram socket at that descriptor", { skip }, async (t) => {
    const home = folder(t, echoManifest({ listen: ["fd:7", "fd:8"] }));
    const server = await startServer(t, home, {
      through: withSockets({ sockets: [["tcp"], ["udp"]], first: 7 }),
    });
    await assertEchoes(t, server, "tcp");
    await assertEchoes(t, server, "udp");
    await server.stop();
  });
  test("fd: refuses what is not open", { skip }, async (t) => {
    const home = folder(t, echoManifest({ listen: "fd:999" }));
    assert.match((await failToStart(t, home)).block, /fd:999: descriptor 999 is not open/);
  });
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
    await assertEchoes(t, server, "tcp");
    await assertEchoes(t, server, "udp");
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

/** Waits until systemd is told this; what it was told before counts, too. */
function told(systemd: DatagramClient, text: string): Promise<void> {
  return systemd.when(text, () => systemd.texts.some((one) => one.split("\n").includes(text)));
}

describe("NOTIFY_SOCKET", () => {
  test("a server tells systemd how it goes", { skip: skipGrams }, async (t) => {
    const home = folder(t, echoManifest({ listen: "tcp://127.0.0.1:0" }));
    const path = join(home, "notify.sock");
    const systemd = await openUnix(t, `unixgram:${path}`);
    const server = await startServer(t, home, {
      env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "200000" },
    });
    await told(systemd, "READY=1");
    await told(systemd, "WATCHDOG=1");
    const before = systemd.texts.length;
    server.signal("SIGHUP");
    await told(systemd, "RELOADING=1");
    await systemd.when(
      "READY=1 again",
      () => systemd.texts.slice(before).join().includes("READY=1"),
    );
    const reload = systemd.texts.findIndex((text) => text.startsWith("RELOADING=1"));
    assert.match(systemd.texts[reload]!, /\nMONOTONIC_USEC=\d+$/);
    await server.stop();
    await told(systemd, "STOPPING=1");
    assert.match(systemd.texts[0]!, /^READY=1/);
    const order = systemd.texts.map((text) => text.split("\n")[0]!).filter((text) =>
      text !== "WATCHDOG=1"
    );
    assert.deepEqual(order, ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]);
  });
  test(
    "a server does not tell systemd that it is ready when it is not",
    { skip: skipGrams },
    async (t) => {
      const home = folder(t, echoManifest({ listen: "fd:999" }));
      const path = join(home, "notify.sock");
      const systemd = await openUnix(t, `unixgram:${path}`);
      const start = ["env", `NOTIFY_SOCKET=${path}`];
      await failToStart(t, home, start);
      assert.ok(!systemd.texts.join().includes("READY=1"), systemd.texts.join());
    },
  );
});
