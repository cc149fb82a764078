/** What becomes of newcomers at a limit, with real peers, under every strategy. */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { ServiceStatus } from "../../runtime/services/status.ts";
import { ManagedServer, TCP } from "../support/managed-server.ts";
import { dial, type StreamClient } from "../support/peers.ts";
import { lackingStrategy, type StrategyName } from "../support/strategies.ts";
import { until } from "../support/until.ts";

/** Waits until a service is like this. */
async function comes(
  what: string,
  managed: ManagedServer,
  test: (status: ServiceStatus) => boolean,
): Promise<void> {
  const end = performance.now() + 30_000;
  while (!test(await managed.service("echo"))) {
    assert.ok(performance.now() < end, what);
    await pause(10);
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const SHEDDING: readonly (readonly [StrategyName, object])[] = [
  ["async", { strategy: "async" }],
  ["threads", { strategy: "threads", workers: 2 }],
  ["processes", { strategy: "processes", workers: 3 }],
  ["spawn", { strategy: "spawn", max: 8 }],
];

async function say(peer: StreamClient, text: string): Promise<void> {
  const before = peer.received;
  peer.send(text);
  await peer.when("an echo", () => peer.received >= before + text.length);
}

for (const [strategy, concurrency] of SHEDDING) {
  test(
    `shed: whoever has been idle longest of all workers ends, one for each newcomer: ${strategy}`,
    { skip: lackingStrategy(strategy) },
    async (t) => {
      const limits = { sessions: 6, overflow: { sessions: "shed" } };
      const managed = await ManagedServer.start(t, {
        echo: { plugin: "echo", listen: TCP, concurrency, limits },
      });
      const endpoint = await managed.endpoint("echo", "tcp");
      const peers: StreamClient[] = [];
      for (let i = 0; i < 6; i++) {
        peers.push(await dial(t, endpoint));
        await say(peers[i]!, "x");
      }
      // Idleness is known to a tenth of a second.
      for (const at of [3, 0, 5, 1, 4, 2]) {
        await pause(300);
        await say(peers[at]!, "y");
      }
      const newcomers: StreamClient[] = [];
      for (const [done, at] of [3, 0, 5].entries()) {
        newcomers.push(await dial(t, endpoint));
        await say(newcomers[done]!, "new");
        await peers[at]!.when("its end", () => peers[at]!.ended || peers[at]!.gone);
        assert.deepEqual(
          peers.flatMap((peer, index) => peer.ended || peer.gone ? [index] : []),
          [3, 0, 5].slice(0, done + 1).sort(),
        );
      }
      await until(
        "the records",
        () => managed.process.all({ event: "close", service: "echo" }).length === 3,
      );
      const reasons = managed.process.all({ event: "close" }).map(({ reason }) => reason);
      assert.deepEqual(reasons, ["shed", "shed", "shed"]);
      const { live, refused } = await managed.service("echo");
      assert.deepEqual([live, refused], [6, 0]);
    },
  );

  test(
    `shed: many newcomers at once, and never more sessions than may be: ${strategy}`,
    { skip: lackingStrategy(strategy) },
    async (t) => {
      const limits = { sessions: 4, overflow: "shed" };
      const managed = await ManagedServer.start(t, {
        echo: { plugin: "echo", listen: TCP, concurrency, limits },
      });
      const endpoint = await managed.endpoint("echo", "tcp");
      const peers = await Promise.all(Array.from({ length: 30 }, () => dial(t, endpoint)));
      // Each of them was served, refused or shed; four are left.
      await until(
        "four that are left",
        () => peers.filter((peer) => !peer.ended && !peer.gone).length === 4,
        10_000,
      );
      const left = peers.filter((peer) => !peer.ended && !peer.gone);
      for (const peer of left) await say(peer, "still here");
      const status = await managed.service("echo");
      assert.deepEqual([status.live, status.held], [4, 0]);
      // What was refused or shed is what they saw.
      await until(
        "the records of those that have ended",
        () => managed.process.all({ event: "close" }).length + status.refused === 26,
      );
      const closes = managed.process.all({ event: "close" }).map(({ reason }) => reason);
      assert.ok(closes.every((reason) => reason === "shed"), `${closes}`);
    },
  );
}

test("banner: a file is read at the start and at a reload; one that is gone changes nothing, and says so", async (t) => {
  const services = (limit: number) => ({
    echo: {
      plugin: "echo",
      listen: TCP,
      limits: { sessions: limit },
      banner: { accept: { file: "hello.txt" }, refuse: "421 ${limit} of ${service}\n" },
    },
  });
  const managed = ManagedServer.prepare(t, services(1));
  const file = join(managed.home, "hello.txt");
  writeFileSync(file, "hello ${remote} at $${remote}\n");
  await managed.startAs({});
  const endpoint = await managed.endpoint("echo", "tcp");
  const first = await dial(t, endpoint);
  await first.when("the banner", () => first.text === "hello 127.0.0.1 at ${remote}\n");
  const second = await dial(t, endpoint);
  await second.over();
  assert.equal(second.text, "421 sessions of echo\n");

  writeFileSync(file, "good morning\n");
  assert.deepEqual((await managed.reload()).changed, ["echo"]);
  first.leave();
  await comes("room", managed, ({ live }) => live === 0);
  const third = await dial(t, endpoint);
  await third.when("the new banner", () => third.text === "good morning\n");
  third.leave();

  rmSync(file);
  await assert.rejects(
    managed.reload(),
    /services\.echo\.banner\.accept\.file[^]*"hello\.txt"[^]*a file of text which can be read/,
  );
  await comes("room", managed, ({ live }) => live === 0);
  const fourth = await dial(t, endpoint);
  await fourth.when("the banner as it was", () => fourth.text === "good morning\n");

  writeFileSync(file, "${remot}\n");
  await assert.rejects(
    managed.reload(),
    /\$\{remot\} in hello\.txt[^]*did you mean \$\{remote\}\?/,
  );
});

test("rest: ctl status shows it, health is not well, and a reload that changes the service ends it", async (t) => {
  const services = (rate: string) => ({
    echo: { plugin: "echo", listen: TCP, limits: { rate, rest: "1h" } },
  });
  const managed = await ManagedServer.start(t, services("1/h"));
  const endpoint = await managed.endpoint("echo", "tcp");
  const first = await dial(t, endpoint);
  await say(first, "x");
  const second = await dial(t, endpoint);
  await second.over();
  await comes("its rest", managed, ({ state }) => state === "resting");
  managed.write(services("1000/s"));
  await managed.reload();
  assert.equal((await managed.service("echo")).state, "running");
  const third = await dial(t, endpoint);
  await say(third, "x");
  // Who was in goes on.
  await say(first, "y");
});
