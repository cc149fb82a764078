/** Whose a socket file is: what was handed on is its successor's, whoever is killed. */
import assert from "node:assert/strict";
import { existsSync, lstatSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { text } from "../conformance/harness.ts";
import { lackingFeature } from "../support/adapter.ts";
import { ManagedServer, TCP, versioned } from "../support/managed-server.ts";
import { dial, openDatagrams } from "../support/peers.ts";
import { children, gone, sendSignal } from "../support/proc.ts";
import { until } from "../support/until.ts";

const skip = lackingFeature("descriptors");
const NAMES = ["c", "stream", "datagrams"];
const LISTEN = ["unix:./stream", "unixgram:./datagrams"];

/** Says who starts, and waits, when it is not the first, for a file. */
const SLOW = `
import { appendFileSync, existsSync } from "node:fs";
const [pids, go] = ["pids", "go"].map((name) => new URL("./" + name, import.meta.url));
export default {
  name: "slow",
  transports: ["stream"],
  async start() {
    const first = !existsSync(pids);
    appendFileSync(pids, process.pid + "\\n");
    while (!first && !existsSync(go)) await new Promise((resolve) => setTimeout(resolve, 20));
    return { data() {} };
  },
};
`;

const inodes = (home: string): (number | undefined)[] =>
  NAMES.map((name) => lstatSync(join(home, name), { throwIfNoEntry: false })?.ino);

for (const strategy of ["processes", "spawn"] as const) {
  const concurrency = strategy === "spawn" ? { strategy, max: 4 } : { strategy, workers: 2 };
  const one = versioned(LISTEN, 1, { concurrency });

  test(
    `${strategy}: kill -9 after an upgrade leaves the successor its files`,
    { skip },
    async (t) => {
      const managed = await ManagedServer.start(t, { one });
      const before = inodes(managed.home);
      const peer = await dial(t, `unix:${join(managed.home, "stream")}`);
      await peer.echo("it stays");
      const successor = await managed.upgrade();
      const workers = children(managed.process.pid).filter((pid) => pid !== successor);
      managed.process.signal("SIGKILL");
      await managed.process.exited();
      await gone(workers);
      assert.deepEqual(inodes(managed.home), before);
      await answers(managed, t);
    },
  );
}

test("kill -9 in the middle of an upgrade leaves the successor its files", { skip }, async (t) => {
  const one = versioned(LISTEN, 1, { concurrency: { strategy: "processes", workers: 1 } });
  const managed = ManagedServer.prepare(t, {});
  const pids = join(managed.home, "pids");
  writeFileSync(join(managed.home, "slow.js"), SLOW);
  const slow = { plugin: "./slow.js", listen: TCP, limits: { start: "60s" } };
  managed.write({ one, slow });
  await managed.start();
  const before = inodes(managed.home);
  const started = () => readFileSync(pids, "utf8").split("\n").slice(0, -1).map(Number);
  managed.upgrade().catch(() => {});
  await until("the successor", () => started().length === 2);
  const successor = started()[1]!;
  managed.track(successor);
  const workers = children(managed.process.pid).filter((pid) => pid !== successor);
  managed.process.signal("SIGKILL");
  await managed.process.exited();
  await gone(workers);
  writeFileSync(join(managed.home, "go"), "");
  await answers(managed, t);
  assert.deepEqual(inodes(managed.home), before);
  sendSignal(successor, "SIGTERM");
  await gone([successor]);
  assert.deepEqual(NAMES.filter((name) => existsSync(join(managed.home, name))), []);
});

test(
  "kill -9 of a successor that is not ready yet leaves the old server its files",
  { skip },
  async (t) => {
    const one = versioned(LISTEN, 1, { concurrency: { strategy: "processes", workers: 1 } });
    const managed = ManagedServer.prepare(t, {});
    const pids = join(managed.home, "pids");
    writeFileSync(join(managed.home, "slow.ts"), SLOW);
    const slow = { plugin: "./slow.ts", listen: TCP, limits: { start: "60s" } };
    managed.write({ one, slow });
    await managed.start();
    const before = inodes(managed.home);
    const started = () => readFileSync(pids, "utf8").split("\n").slice(0, -1).map(Number);
    const failed = assert.rejects(managed.upgrade(), /did not start/);
    await until("the successor", () => started().length === 2);
    const successor = started()[1]!;
    const workers = children(successor);
    sendSignal(successor, "SIGKILL");
    await failed;
    await gone(workers);
    assert.deepEqual(inodes(managed.home), before);
    await answers(managed, t);
    // They are the old server's again.
    const own = children(managed.process.pid);
    managed.process.signal("SIGKILL");
    await managed.process.exited();
    await gone(own);
    assert.deepEqual(
      ["stream", "datagrams"].filter((name) => existsSync(join(managed.home, name))),
      [],
    );
  },
);

for (const [change, run] of [["a reload", "reload"], ["an upgrade", "upgrade"]] as const) {
  test(
    `${change} that writes a path in another way goes on with its socket`,
    { skip },
    async (t) => {
      const managed = await ManagedServer.start(t, { one: versioned(LISTEN, 1) });
      const before = inodes(managed.home);
      const whole = LISTEN.map((text) => text.replace("./", `${managed.home}/`));
      managed.write({ one: versioned(whole, 2) });
      await managed[run]();
      assert.deepEqual(inodes(managed.home), before);
      assert.equal(await managed.version(whole[0]!), "2");
      await answers(managed, t);
    },
  );
}

async function answers(managed: ManagedServer, t: Parameters<typeof dial>[0]): Promise<void> {
  await managed.until("one", ({ state }) => state === "running");
  const peer = await dial(t, `unix:${join(managed.home, "stream")}`);
  await peer.echo("hello");
  peer.end();
  const sender = await openDatagrams(t, "unixgram");
  const answer = await sender.ask("hello", `unixgram:${join(managed.home, "datagrams")}`);
  assert.equal(text(answer), "hello");
}
