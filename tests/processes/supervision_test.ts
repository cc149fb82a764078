/** Workers that die, stop answering or do not start; a supervisor that dies. */
import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { text } from "../conformance/harness.ts";
import { adapter, lackingTransport } from "../support/adapter.ts";
import { portico } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { dial, knock, openDatagrams, type StreamClient } from "../support/peers.ts";
import { ask, controlled, probe, stopWithWorkers, twoWorkers, who } from "../support/probe.ts";
import { children, gone, runs, sendSignal } from "../support/proc.ts";
import {
  failToStart,
  manifest,
  type ServerProcess,
  startServer,
} from "../support/server-process.ts";
import {
  lackingStrategy,
  lackingWorkers,
  PROCESSES,
  type StrategyName,
  WORKERS,
} from "../support/strategies.ts";
import { until } from "../support/until.ts";

const skip = { skip: lackingWorkers };

/** Two sessions in two workers. */
async function pair(t: TestContext, server: ServerProcess, service = "one"): Promise<{
  bad: StreamClient;
  good: StreamClient;
  badId: number;
  badPid: number;
}> {
  const bad = await dial(t, server.endpoint(service, "tcp"));
  const { id, pid, place } = await who(bad);
  // Whoever has left just now may still count there.
  for (let tries = 0; tries < 100; tries++) {
    const good = await dial(t, server.endpoint(service, "tcp"));
    if ((await who(good)).place !== place) return { bad, good, badId: id, badPid: pid };
    good.end();
  }
  assert.fail("all sessions are served in one place");
}

/** New sessions are served; by two workers where there are two, once both are ready. */
async function whole(t: TestContext, server: ServerProcess, strategy: StrategyName): Promise<void> {
  const places = new Set<string>();
  const since = performance.now();
  do {
    assert.ok(performance.now() - since < 30_000, `only ${[...places]} serves`);
    places.clear();
    const peers = await Promise.all(
      Array.from({ length: 4 }, () => dial(t, server.endpoint("one", "tcp"))),
    );
    for (const peer of peers) {
      places.add((await who(peer)).place);
      if (strategy === "spawn") peer.end();
    }
    for (const peer of peers) peer.end();
    await Promise.all(peers.map((peer) => peer.over()));
  } while (places.size < 2);
  assert.equal(places.size, strategy === "spawn" ? 4 : 2);
}

/** What may happen to a session, and the code and signal that its worker ends with. */
const CRASHES: readonly (readonly [string, RegExp])[] = [
  ["exit 3", /^3 undefined$/],
  ["abort", /^(undefined SIG(ABRT|TRAP|ILL)|13[0-9] undefined)$/],
  ["signal SIGSEGV", /^undefined SIGSEGV$/],
  ["signal SIGKILL", /^undefined SIGKILL$/],
];

for (const strategy of WORKERS) {
  const crashes = strategy === "threads" ? CRASHES.slice(0, 1) : CRASHES;
  test(`${strategy}: a session that crashes takes no other with it`, skip, async (t) => {
    const home = folder(t, controlled({ one: probe(twoWorkers(strategy)) }));
    const server = await startServer(t, home);
    for (const [index, [line, how]] of crashes.entries()) {
      const { bad, good, badId } = await pair(t, server);
      bad.send(`${line}\n`);
      await bad.over();
      const [exited] = (await server.count(index + 1, { event: "worker", action: "exited" }))
        .slice(-1);
      assert.match(`${exited!["code"]} ${exited!["signal"]}`, how);
      assert.deepEqual([exited!.level, exited!["lost"]], ["warn", 1]);
      const close = await server.record({ event: "close", session: badId });
      assert.deepEqual([close["reason"], close.level], ["worker", "info"]);
      const words = server.all({ session: badId, text: "last words" });
      const said = line.startsWith("exit") ? 100 : 1;
      assert.deepEqual(
        words.map(({ number }) => number),
        Array.from({ length: said }, (_, i) => i + 1),
        "what was logged before the crash is there, in order, once",
      );
      assert.equal(await ask(good, "echo still here"), "still here");
      const { id } = await who(good);
      good.end();
      await server.record({ event: "close", session: id, reason: "peer" });
      await whole(t, server, strategy);
    }
    const { services: [status] } = JSON.parse(
      (await portico("ctl", "status", "--manifest", home, "--json")).out,
    );
    assert.equal(status.restarts, crashes.length);
    await stopWithWorkers(server);
  });

  test(`${strategy}: what nobody catches is reported, and ends nothing`, skip, async (t) => {
    const server = await startServer(
      t,
      folder(t, controlled({ one: probe(twoWorkers(strategy)) })),
    );
    const peer = await dial(t, server.endpoint("one", "tcp"));
    assert.equal(await ask(peer, "throw-later"), "thrown");
    await server.record({ event: "error", service: "one", message: "nobody catches this" });
    assert.equal(await ask(peer, "reject-later"), "rejected");
    const error = await server.record({
      event: "error",
      service: "one",
      message: "nobody awaits this",
    });
    assert.deepEqual([error.level, error["side"]], ["error", "plugin"]);
    assert.equal(await ask(peer, "echo on"), "on");
    peer.end();
    await peer.when("the close", () => peer.gone);
    assert.deepEqual(server.all({ event: "worker", action: "exited" }), []);
    await stopWithWorkers(server);
  });

  test(
    `${strategy}: an endless loop is ended, and others are served meanwhile`,
    skip,
    async (t) => {
      const limits = { stall: "1s" };
      const server = await startServer(
        t,
        folder(t, controlled({ one: probe(twoWorkers(strategy), {}, { limits }) })),
      );
      const { bad, good, badId } = await pair(t, server);
      bad.send("loop\n");
      await server.record({ session: badId, text: "last words" });
      // One in two of these goes to the worker that does not answer, and from there to another.
      const newcomers: StreamClient[] = [];
      for (let i = 0; i < (strategy === "spawn" ? 2 : 10); i++) {
        newcomers.push(await dial(t, server.endpoint("one", "tcp")));
      }
      assert.equal(await ask(good, "echo still here"), "still here");
      await Promise.all(newcomers.map((peer) => ask(peer, "echo x")));
      const exited = await server.record({ event: "worker", action: "exited" });
      assert.equal(exited["reason"], "stalled");
      // Where the thread runs on, nobody else can end what it has open.
      if (strategy !== "threads" || adapter.features.endsThreads === true) await bad.over();
      assert.equal((await server.record({ event: "close", session: badId }))["reason"], "worker");
      assert.equal(server.all({ event: "close", reason: "worker" }).length, 1);
      for (const peer of [good, ...newcomers]) peer.end();
      await whole(t, server, strategy);
      await stopWithWorkers(server);
    },
  );

  test(`${strategy}: a plugin that does not start fails the server, once`, skip, async (t) => {
    const home = folder(t, {});
    const broken = join(home, "broken");
    writeFileSync(broken, "");
    const one = probe(twoWorkers(strategy), { broken });
    const { control, ...plain } = JSON.parse(
      controlled({ good: probe("async"), one })["portico.json"],
    );
    writeFileSync(join(home, "portico.json"), JSON.stringify({ ...plain, control }));
    const { code, block } = await failToStart(t, home);
    assert.equal(code, 1);
    assert.match(block, /service "one": the start of plugin "probe" failed: nothing works today/);
    assert.equal(existsSync(join(home, "control.sock")), false);
  });

  test(
    `${strategy}: a start that fails later is tried again until it succeeds`,
    skip,
    async (t) => {
      const home = folder(t, {});
      const broken = join(home, "broken");
      const concurrency = strategy === "spawn" ? { strategy, max: 1 } : { strategy, workers: 1 };
      writeFileSync(
        join(home, "portico.json"),
        controlled({ one: probe(concurrency, { broken }) })["portico.json"],
      );
      const server = await startServer(t, home);
      writeFileSync(broken, "");
      const peer = await dial(t, server.endpoint("one", "tcp"));
      peer.send("exit 3\n");
      await peer.over();
      const failures = await server.count(2, { event: "worker", action: "failed" });
      assert.match(String(failures[0]!["message"]), /nothing works today/);
      const waiting = await dial(t, server.endpoint("one", "tcp"));
      waiting.send("echo hello\n");
      rmSync(broken);
      await waiting.hears("hello");
      waiting.end();
      assert.deepEqual(server.all({ event: "suspend" }), []);
      await stopWithWorkers(server);
    },
  );
}

for (const strategy of PROCESSES) {
  test(`${strategy}: kill -9 of a worker ends its sessions only`, skip, async (t) => {
    const server = await startServer(
      t,
      folder(t, controlled({ one: probe(twoWorkers(strategy)) })),
    );
    const { bad, good, badId, badPid } = await pair(t, server);
    sendSignal(badPid, "SIGKILL");
    await bad.over();
    assert.equal((await server.record({ event: "close", session: badId }))["reason"], "worker");
    const exited = await server.record({ event: "worker", action: "exited" });
    assert.deepEqual([exited["pid"], exited["signal"]], [badPid, "SIGKILL"]);
    assert.equal(await ask(good, "echo still here"), "still here");
    good.end();
    await whole(t, server, strategy);
    await stopWithWorkers(server);
  });

  test(`${strategy}: a supervisor that was stopped for a while kills nobody`, skip, async (t) => {
    const limits = { stall: "1s" };
    const server = await startServer(
      t,
      folder(t, controlled({ one: probe(twoWorkers(strategy), {}, { limits }) })),
    );
    const peer = await dial(t, server.endpoint("one", "tcp"));
    await ask(peer, "echo before");
    server.signal("SIGSTOP");
    const since = performance.now();
    await until("the time of a stall", () => performance.now() - since > 2500);
    server.signal("SIGCONT");
    assert.equal(await ask(peer, "echo after"), "after");
    await server.status("one");
    assert.deepEqual(server.all({ event: "worker", action: "exited" }), []);
    peer.end();
    await stopWithWorkers(server);
  });

  test(
    `${strategy}: kill -9 of the supervisor ends the workers, and leaves nothing`,
    skip,
    async (t) => {
      const transports = (["tcp", "unix", "udp", "unixgram"] as const).filter((name) =>
        !lackingTransport(name)
      );
      const listen = transports.map((name) =>
        name.startsWith("unix") ? `${name}:./${name}` : `${name}://127.0.0.1:0`
      );
      const more = { listen, limits: { stall: "500ms" } };
      const home = folder(t, controlled({ one: probe(twoWorkers(strategy), {}, more) }));
      const server = await startServer(t, home);
      const endpoint = server.endpoint("one", "tcp");
      const peers = [await dial(t, endpoint), await dial(t, server.endpoint("one", "unix"))];
      for (const peer of peers) await who(peer);
      // One that cannot notice anything.
      peers[0]!.send("loop\n");
      await server.record({ text: "last words" });
      const workers = children(server.pid);
      assert.ok(workers.length >= 2);
      server.signal("SIGKILL");
      // The one in a loop has spent some seconds of CPU by then, which last longer where others want it, too.
      for (const peer of peers) await peer.over(100_000);
      assert.equal(await server.ended(), "SIGKILL");
      await gone(workers);
      assert.equal(await knock(endpoint), "ECONNREFUSED");
      for (const name of transports.filter((name) => name.startsWith("unix"))) {
        assert.equal(existsSync(join(home, name)), false, `${name} is left`);
      }
      const again = await startServer(t, home);
      const peer = await dial(t, again.endpoint("one", "unix"));
      assert.equal(await ask(peer, "echo again"), "again");
      peer.end();
      await stopWithWorkers(again);
    },
  );

  test(`${strategy}: a plugin that blocks its start is given up`, skip, async (t) => {
    const limits = { start: "200ms" };
    const home = folder(
      t,
      controlled({ one: probe(twoWorkers(strategy), { hangs: "start" }, { limits }) }),
    );
    const { code, block } = await failToStart(t, home);
    assert.equal(code, 1);
    assert.match(block, /service "one": .*not ready in time/);
  });
}

test("processes: 10 deaths in a row suspend one service, until it is resumed", skip, async (t) => {
  const home = folder(t, {});
  const broken = join(home, "broken");
  const services = {
    bad: probe({ strategy: "processes", workers: 5 }, { broken }),
    good: probe({ strategy: "processes", workers: 1 }),
  };
  writeFileSync(join(home, "portico.json"), controlled(services)["portico.json"]);
  const server = await startServer(t, home);
  const good = await dial(t, server.endpoint("good", "tcp"));
  const { pid } = await who(good);
  const started = server.all({ event: "worker", action: "started", service: "bad" });
  assert.equal(started.length, 5);
  writeFileSync(broken, "");
  for (const record of started) sendSignal(record["pid"] as number, "SIGKILL");
  const suspend = await server.record({ event: "suspend", service: "bad" });
  assert.equal(suspend.level, "error");
  assert.match(String(suspend["reason"]), /10 workers in a row/);
  const status = async (): Promise<{ service: string; state: string }[]> =>
    JSON.parse((await portico("ctl", "status", "--manifest", home, "--json")).out).services;
  assert.deepEqual((await status()).map(({ state }) => state), ["failed", "running"]);
  assert.equal(await ask(good, "echo still here"), "still here");
  const other = await dial(t, server.endpoint("good", "tcp"));
  assert.equal((await who(other)).pid, pid);
  // Whoever comes waits in the kernel's queue.
  const waiting = await dial(t, server.endpoint("bad", "tcp"));
  waiting.send("echo hello\n");
  rmSync(broken);
  const resumed = await portico("ctl", "resume", "bad", "--manifest", home);
  assert.equal(resumed.code, 0, resumed.err);
  await waiting.hears("hello");
  assert.deepEqual((await status()).map(({ state }) => state), ["running", "running"]);
  assert.equal(server.all({ event: "suspend" }).length, 1);
  for (const peer of [good, other, waiting]) peer.end();
  await stopWithWorkers(server);
});

test("spawn: a plugin whose stop does not come back keeps nobody waiting", skip, async (t) => {
  const limits = { drain: "200ms" };
  const server = await startServer(
    t,
    folder(
      t,
      controlled({
        one: probe({ strategy: "spawn", max: 1 }, { hangs: "stop" }, { limits }),
      }),
    ),
  );
  for (let i = 0; i < 2; i++) {
    const peer = await dial(t, server.endpoint("one", "tcp"));
    assert.equal(await ask(peer, "echo x"), "x");
    peer.end();
    await peer.when("the close", () => peer.gone);
  }
  await stopWithWorkers(server);
});

for (const strategy of ["serial", "async", "threads"] as const) {
  test(`${strategy}: the socket file of a killed server is taken over`, {
    skip: lackingStrategy(strategy),
  }, async (t) => {
    const listen = ["unix", "unixgram"].filter((name) => !lackingTransport(name as "unix")).map((
      name,
    ) => `${name}:./${name}`);
    const home = folder(t, {
      "portico.json": manifest({ one: { plugin: "echo", listen, concurrency: strategy } }),
    });
    const first = await startServer(t, home);
    await first.kill();
    const server = await startServer(t, home);
    const peer = await dial(t, server.endpoint("one", "unix"));
    await peer.echo("hello");
    peer.end();
    if (listen.length > 1) {
      const sender = await openDatagrams(t, "unixgram");
      assert.equal(text(await sender.ask("hello", server.endpoint("one", "unixgram"))), "hello");
    }
    await server.stop();
    assert.equal(runs(first.pid), false);
  });
}
