/** What workers may use of the machine: `resources`, `ioprio`; and what happens to one that wants more. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { portico } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { lackingPrograms } from "../support/packages.ts";
import { dial } from "../support/peers.ts";
import { lackingOtherUsers } from "../support/permissions.ts";
import { ask, controlled, probe, stopWithWorkers, twoWorkers, who } from "../support/probe.ts";
import { limitOf } from "../support/proc.ts";
import { startServer } from "../support/server-process.ts";
import { lackingWorkers, PROCESSES } from "../support/strategies.ts";

const skip = lackingWorkers;
const lackingIonice = skip || lackingPrograms("ionice");

for (const strategy of PROCESSES) {
  test(`${strategy}: every worker has the limits of its service`, {
    skip: skip || lackingOtherUsers(),
  }, async (t) => {
    const resources = { cpu: "90s", files: 300, processes: 400, core: 0, memory: "1GiB" };
    const own = { user: "nobody", resources };
    const home = folder(
      t,
      controlled({
        one: probe(twoWorkers(strategy), {}, own),
        free: probe(twoWorkers(strategy)),
      }),
    );
    const server = await startServer(t, home);
    for (let i = 0; i < 3; i++) {
      const peer = await dial(t, server.endpoint("one", "tcp"));
      const { pid } = await who(peer);
      const names = ["cpu time", "open files", "processes", "core file size"];
      assert.deepEqual(names.map((name) => limitOf(pid, name)), [
        "90 91",
        "300 300",
        "400 400",
        "0 0",
      ]);
      assert.equal(limitOf(pid, "address space"), limitOf(server.pid, "address space"));
      peer.end();
    }
    const peer = await dial(t, server.endpoint("free", "tcp"));
    const { pid } = await who(peer);
    for (const name of ["cpu time", "processes"]) {
      assert.equal(limitOf(pid, name), limitOf(server.pid, name));
    }
    peer.end();
    await stopWithWorkers(server);
  });

  test(`${strategy}: ioprio is that of every thread of a worker`, {
    skip: lackingIonice,
  }, async (t) => {
    const ioprio = (id: string | number): string =>
      spawnSync("ionice", ["-p", String(id)], { encoding: "utf8" }).stdout.trim();
    const home = folder(
      t,
      controlled({
        one: probe(twoWorkers(strategy), {}, { ioprio: "best-effort:6" }),
        two: probe(twoWorkers(strategy), {}, { ioprio: "idle" }),
      }),
    );
    const server = await startServer(t, home);
    for (const [service, expected] of [["one", "best-effort: prio 6"], ["two", "idle"]] as const) {
      const peer = await dial(t, server.endpoint(service, "tcp"));
      const { pid } = await who(peer);
      const threads = readdirSync(`/proc/${pid}/task`);
      assert.deepEqual(new Set(threads.map(ioprio)), new Set([expected]));
      peer.end();
    }
    assert.notEqual(ioprio(server.pid), "idle");
    await stopWithWorkers(server);
  });

  test(`${strategy}: a worker that takes too much memory is replaced, and says why`, {
    skip,
  }, async (t) => {
    const resources = { memory: "300MB" };
    const home = folder(t, controlled({ one: probe(twoWorkers(strategy), {}, { resources }) }));
    const server = await startServer(t, home);
    const good = await dial(t, server.endpoint("one", "tcp"));
    const { place, pid: kept } = await who(good);
    let bad = await dial(t, server.endpoint("one", "tcp"));
    while ((await who(bad)).place === place) bad = await dial(t, server.endpoint("one", "tcp"));
    const { pid } = await who(bad);
    bad.send("grow 400\n");
    await bad.over();
    const exited = await server.record({ event: "worker", action: "exited" });
    assert.deepEqual(
      [exited["pid"], exited["signal"], exited["reason"], exited["lost"], exited.level],
      [pid, "SIGKILL", "memory", 1, "warn"],
    );
    assert.equal((await who(good)).pid, kept, "nobody else is disturbed");
    const next = await dial(t, server.endpoint("one", "tcp"));
    assert.notEqual((await who(next)).pid, pid);
    good.end();
    next.end();
    await stopWithWorkers(server);
  });

  test(`${strategy}: a worker that takes too much CPU time is replaced, and says why`, {
    skip,
  }, async (t) => {
    // A start takes some, too.
    const resources = { cpu: "3s" };
    const limits = { stall: "none" };
    const home = folder(
      t,
      controlled({ one: probe(twoWorkers(strategy), {}, { resources, limits }) }),
    );
    const server = await startServer(t, home);
    const bad = await dial(t, server.endpoint("one", "tcp"));
    const { pid } = await who(bad);
    bad.send("loop\n");
    await bad.over();
    const exited = await server.record({ event: "worker", action: "exited" });
    assert.deepEqual(
      [exited["pid"], exited["signal"], exited["reason"], exited["lost"]],
      [pid, "SIGXCPU", "cpu", 1],
    );
    const next = await dial(t, server.endpoint("one", "tcp"));
    assert.notEqual((await who(next)).pid, pid);
    next.end();
    await stopWithWorkers(server);
  });

  test(`${strategy}: a worker that wants too many files is told so, and goes on`, {
    skip,
  }, async (t) => {
    const resources = { files: 128 };
    const home = folder(t, controlled({ one: probe(twoWorkers(strategy), {}, { resources }) }));
    const server = await startServer(t, home);
    const peer = await dial(t, server.endpoint("one", "tcp"));
    assert.equal(await ask(peer, "open 200"), "EMFILE");
    assert.equal(await ask(peer, "open 20"), "opened");
    assert.equal(await ask(peer, "echo still here"), "still here");
    peer.end();
    await stopWithWorkers(server);
  });
}

test("more sessions than a worker has files wait for one, and are served", { skip }, async (t) => {
  const resources = { files: 100 };
  const concurrency = { strategy: "processes", workers: 1 };
  const home = folder(t, controlled({ one: probe(concurrency, {}, { resources }) }));
  const server = await startServer(t, home);
  const first = await Promise.all(
    Array.from({ length: 120 }, () => dial(t, server.endpoint("one", "tcp"))),
  );
  const late = await server.record({ event: "error", code: "EMFILE" });
  assert.equal(late["service"], "one");
  for (const peer of first) peer.send("echo here\n");
  let answered = 0;
  await Promise.all(first.map(async (peer) => {
    await peer.when("an answer", () => peer.text === "here\n");
    answered++;
    peer.end();
  }));
  assert.equal(answered, 120);
  assert.deepEqual(server.all({ event: "worker", action: "exited" }), []);
  await stopWithWorkers(server);
});

test("check says what cannot be had, and what comes to nothing", {
  skip: skip || lackingOtherUsers(),
}, async (t) => {
  const resources = { memory: "5MB", processes: 300 };
  const home = folder(t, controlled({ one: probe("processes", {}, { resources }) }));
  const { code, out } = await portico("check", home);
  assert.equal(code, 2);
  assert.match(out, /^no .*resources +memory: a process takes \d+MB before it has served anybody/m);
  const enough = { memory: "500MB", processes: 300 };
  const other = folder(t, controlled({ one: probe("processes", {}, { resources: enough }) }));
  const fine = await portico("check", other);
  assert.equal(fine.code, 0, fine.out);
  assert.match(fine.out, /^ok .*resources +processes: root has as many as it likes/m);
});
