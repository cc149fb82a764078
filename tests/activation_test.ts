import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test, type TestContext } from "node:test";
import { inheritedFor, listenFds, makeNotifier } from "../runtime/activation/mod.ts";
import type { DatagramSocket } from "../runtime/core/contract.ts";
import type { Inspected } from "../runtime/core/descriptors.ts";
import { Address, parseEndpoint } from "../runtime/core/endpoint.ts";
import { adapter, lackingFeature, lackingTransport } from "./support/adapter.ts";
import { folder } from "./support/folder.ts";
import { until } from "./support/until.ts";

describe("listenFds", () => {
  test("listenFds reads names, and takes the variables out of the environment", () => {
    const env = {
      LISTEN_PID: "42",
      LISTEN_FDS: "3",
      LISTEN_FDNAMES: "web:web:",
      LISTEN_PIDFDID: "7",
      HOME: "/",
    };
    assert.deepEqual(listenFds(env, 42), [
      { fd: 3, name: "web" },
      { fd: 4, name: "web" },
      { fd: 5, name: "" },
    ]);
    assert.deepEqual(env, { HOME: "/" });
  });
  test("listenFds calls them unknown where there are no names", () => {
    assert.deepEqual(listenFds({ LISTEN_PID: "42", LISTEN_FDS: "1" }, 42), [
      { fd: 3, name: "unknown" },
    ]);
  });
  test("listenFds knows of none, which is not the same as nothing", () => {
    assert.deepEqual(listenFds({ LISTEN_PID: "42", LISTEN_FDS: "0", LISTEN_FDNAMES: "" }, 42), []);
    assert.equal(listenFds({}, 42), undefined);
    assert.equal(listenFds({ LISTEN_FDS: "1" }, 42), undefined);
  });
  test("listenFds leaves another process its sockets, but not the variables to ours", () => {
    const env = { LISTEN_PID: "41", LISTEN_FDS: "1" };
    assert.equal(listenFds(env, 42), undefined);
    assert.deepEqual(env, {});
  });
  const WRONG: [string, Record<string, string>, RegExp][] = [
    ["a pid that is none", { LISTEN_PID: "me" }, /^LISTEN_PID is "me"; it has to be the number of/],
    ["a count that is none", { LISTEN_FDS: "-1" }, /^LISTEN_FDS is "-1"; it has to be a number/],
    ["more than there can be", { LISTEN_FDS: "2147483647" }, /^LISTEN_FDS is "2147483647"; /],
    ["too few names", { LISTEN_FDNAMES: "a" }, /^LISTEN_FDNAMES is "a"; it has to be 2 names /],
  ];
  for (const [what, variables, message] of WRONG) {
    test(`listenFds refuses ${what}`, () => {
      const env = { LISTEN_PID: "42", LISTEN_FDS: "2", ...variables };
      assert.throws(() => listenFds(env, 42), { code: "USAGE", side: "config", message });
    });
  }
});

describe("inheritedFor", () => {
  const passed = [{ fd: 3, name: "a" }, { fd: 4, name: "b" }, { fd: 5, name: "a" }];
  const listener = (fd: number): Inspected => ({
    kind: "listener",
    socket: { transport: "tcp", fd, address: new Address("tcp", "::", fd, ""), owned: false },
  });
  const find = (
    text: string,
    sockets: typeof passed | undefined = passed,
  ): ReturnType<typeof inheritedFor> =>
    inheritedFor(parseEndpoint(text), { inspect: listener }, sockets);

  test("inheritedFor finds all sockets of a name, one of a number, and descriptor 0", () => {
    const numbers = (text: string): number[] => find(text).map(({ fd }) => fd);
    assert.deepEqual(numbers("systemd:a"), [3, 5]);
    assert.deepEqual(numbers("systemd:b"), [4]);
    assert.deepEqual(numbers("fd:7"), [7]);
    assert.deepEqual(numbers("stdio:"), [0]);
    assert.deepEqual(find("fd:7")[0], { ...listener(7), fd: 7 });
  });
  test("inheritedFor tells which names there are", () => {
    const message = "systemd:web: no socket of this name was passed; there are: a, b";
    assert.throws(() => find("systemd:web"), { code: "ENOENT", side: "config", message });
    assert.throws(() => find("systemd:web", []), { message: /was passed; there is none$/ });
  });
  test("inheritedFor tells that systemd has not started this process", () => {
    assert.throws(() => inheritedFor(parseEndpoint("systemd:web"), { inspect: listener }), {
      code: "ENOENT",
      message: /^systemd:web: this process was not started by systemd's socket activation \(LISTEN/,
    });
  });
  test("inheritedFor takes only what somebody passes on", () => {
    assert.throws(() => find("tcp://*:1"), { code: "NOT_SUPPORTED" });
  });

  const skip = lackingFeature("descriptors");
  test("inheritedFor tells of a descriptor that is no socket, or not open", { skip }, async () => {
    const real = await adapter.descriptors();
    const file = openSync("/dev/null", "r");
    const refuse = (number: number, why: string): void =>
      assert.throws(() => inheritedFor(parseEndpoint(`fd:${number}`), real), {
        code: "NOT_SUPPORTED",
        side: "config",
        message: `fd:${number}: descriptor ${number} is ${why}`,
      });
    refuse(file, "no socket");
    closeSync(file);
    refuse(10_000, "not open");
  });
});

/** What stands for systemd: a socket of our own, with what came to it. */
async function listener(t: TestContext, endpoint: string): Promise<readonly string[]> {
  const heard: string[] = [];
  const socket = await adapter.bind(parseEndpoint(endpoint) as never, {
    datagram: (_: DatagramSocket, bytes) => void heard.push(new TextDecoder().decode(bytes)),
    failure: (_, error) => assert.fail(error),
  }, {});
  t.after(() => socket.close());
  return heard;
}

describe("makeNotifier", { skip: lackingTransport("unixgram") }, () => {
  test("makeNotifier says everything in order, and close sees it out", async (t) => {
    const path = join(folder(t, {}), "notify");
    const heard = await listener(t, `unixgram:${path}`);
    const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "60000000", WATCHDOG_PID: "1", HOME: "/" };
    const notifier = makeNotifier(adapter, env, assert.fail);
    assert.deepEqual(env, { HOME: "/" });
    assert.equal(notifier.watchdog, undefined, "it is another process's");
    void notifier.ready("2 services\nrun");
    void notifier.reloading();
    void notifier.status("reads");
    void notifier.mainPid(4711);
    void notifier.stopping();
    await notifier.close();
    await until("five messages", () => heard.length >= 5);
    const usec = Number(/MONOTONIC_USEC=(\d+)$/.exec(heard[1]!)?.[1]);
    assert.deepEqual(heard, [
      "READY=1\nSTATUS=2 services run",
      `RELOADING=1\nMONOTONIC_USEC=${usec}`,
      "STATUS=reads",
      "MAINPID=4711",
      "STOPPING=1",
    ]);
    // The clock of the machine, not of the process.
    const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1e6;
    assert.ok(Math.abs(usec - uptime) < 10e6, `${usec} and ${uptime}`);
  });
  test("makeNotifier reaches an abstract name", {
    skip: lackingFeature("abstract"),
  }, async (t) => {
    const name = `@portico-notify-${process.pid}`;
    const heard = await listener(t, `unixgram:${name}`);
    const notifier = makeNotifier(adapter, { NOTIFY_SOCKET: name }, assert.fail);
    await notifier.ready();
    await notifier.close();
    await until("a message", () => heard.length > 0);
    assert.deepEqual(heard, ["READY=1"]);
  });
  test("makeNotifier gives signs of life from ready on, until it is closed", async (t) => {
    const path = join(folder(t, {}), "notify");
    const heard = await listener(t, `unixgram:${path}`);
    const env = {
      NOTIFY_SOCKET: path,
      WATCHDOG_USEC: "40000",
      WATCHDOG_PID: String(process.pid),
    };
    const notifier = makeNotifier(adapter, env, assert.fail);
    assert.equal(notifier.watchdog, 20);
    const started = performance.now();
    await notifier.ready();
    await until("four messages", () => heard.length >= 4);
    assert.ok(performance.now() - started >= 50, "not before their time");
    await notifier.close();
    await notifier.status("too late");
    const marker = makeNotifier(adapter, { NOTIFY_SOCKET: path }, assert.fail);
    await marker.status("marker");
    await marker.close();
    await until("the marker", () => heard.includes("STATUS=marker"));
    assert.deepEqual([...new Set(heard)], ["READY=1", "WATCHDOG=1", "STATUS=marker"]);
  });
  test("makeNotifier tells once that nobody is there, and goes on", async (t) => {
    const reasons: string[] = [];
    const path = join(folder(t, {}), "notify");
    const env = { NOTIFY_SOCKET: path };
    const notifier = makeNotifier(adapter, env, (reason) => void reasons.push(reason));
    await notifier.ready();
    await notifier.stopping();
    await notifier.close();
    assert.equal(reasons.length, 1);
    assert.match(reasons[0]!, /^NOTIFY_SOCKET: .*notify/);
  });
  test("makeNotifier opens nothing where nobody listens", async () => {
    const dial = (): never => assert.fail("nothing is to be dialed");
    const reasons: string[] = [];
    for (
      const env of [{}, { NOTIFY_SOCKET: "", WATCHDOG_USEC: "10" }, { NOTIFY_SOCKET: "vsock:2:1" }]
    ) {
      const notifier = makeNotifier({ dial }, env, (reason) => void reasons.push(reason));
      assert.equal(notifier.watchdog, undefined);
      await notifier.ready();
      await notifier.stopping();
      await notifier.close();
      assert.deepEqual(env, {});
    }
    assert.deepEqual(reasons, [
      'NOTIFY_SOCKET is "vsock:2:1": neither a path nor an abstract name',
    ]);
  });
});
