/** `resources` kept by the kernel: a server in a group that was delegated to it, as Delegate=yes of systemd does. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { lackingController, newGroup } from "../support/cgroups.ts";
import { ManagedServer, type Services } from "../support/managed-server.ts";
import { dial } from "../support/peers.ts";
import { ask, probe, twoWorkers, who } from "../support/probe.ts";
import { lackingWorkers, PROCESSES } from "../support/strategies.ts";
import { until } from "../support/until.ts";

const skip = (controller: string): string | false =>
  lackingWorkers || lackingController(controller);

/** Starts a server in a group of its own. */
async function start(t: TestContext, services: Services) {
  const unit = newGroup();
  mkdirSync(unit);
  const through = ["sh", "-c", `echo 0 > ${unit}/cgroup.procs; exec "$0" "$@"`];
  const server = await ManagedServer.start(t, services, {}, { through });
  t.after(() => rmdirSync(unit));
  return { server, unit };
}

/** Groups below one. */
function below(unit: string): string[] {
  return readdirSync(unit, { withFileTypes: true }).filter((found) => found.isDirectory())
    .map(({ name }) => name).sort();
}

/** The folder of the group that a process is in, below `unit`. */
function groupOf(unit: string, pid: number): string {
  const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))![1]!;
  return join(unit, path.slice(path.indexOf("/portico-test-") + 1).replace(/^[^/]+/, ""));
}

const one = (strategy: (typeof PROCESSES)[number], resources: object): Services => ({
  one: probe(twoWorkers(strategy), {}, { resources }),
});

for (const strategy of PROCESSES) {
  test(`${strategy}: a service has no more CPU than its share, and tells how long it was held up`, {
    skip: skip("cpu"),
  }, async (t) => {
    const { server, unit } = await start(t, one(strategy, { total: { cpu: "20%" } }));
    const peer = await dial(t, await server.endpoint("one", "tcp"));
    await ask(peer, "burn 1000");
    const { group } = await server.service("one");
    assert.deepEqual(group!.controllers, ["cpu"]);
    assert.ok(group!.throttled > 0.3, `held up for ${group!.throttled} s`);
    peer.end();
    await server.process.stop();
    assert.deepEqual(below(unit), []);
  });

  test(
    `${strategy}: no more processes than there may be, over a reload and an upgrade; nothing is left`,
    {
      skip: skip("pids"),
    },
    async (t) => {
      const limited = (processes: number) => one(strategy, { total: { processes } });
      const { server, unit } = await start(t, limited(300));
      server.write(limited(400));
      await server.reload();
      assert.equal(readFileSync(join(unit, "service-one/pids.max"), "utf8"), "400\n");
      const peer = await dial(t, await server.endpoint("one", "tcp"));
      const leaf = groupOf(unit, (await who(peer)).pid);
      writeFileSync(join(leaf, "pids.max"), "1", { flag: "r+" });
      assert.equal(await ask(peer, "program true"), "EAGAIN");
      const told = await server.process.record({ event: "worker", action: "limited" });
      assert.equal(told["reason"], "processes");
      peer.end();
      await server.upgrade();
      const before = `worker-${server.process.pid}-`;
      await until("nothing is left of the server before", () =>
        server.process.exit !== undefined &&
        below(join(unit, "service-one")).every((name) => !name.startsWith(before)));
      await server.ask("stop");
      await until("nothing is left", () => below(unit).length === 0);
    },
  );

  test(`${strategy}: the kernel ends a worker of too much memory, and its record says so`, {
    skip: skip("memory"),
  }, async (t) => {
    const { server, unit } = await start(t, one(strategy, { memory: "300MB" }));
    const peer = await dial(t, await server.endpoint("one", "tcp"));
    const { pid } = await who(peer);
    peer.send("grow 400\n");
    await peer.over();
    const exited = await server.process.record({ event: "worker", action: "exited" });
    assert.deepEqual([exited["pid"], exited["signal"], exited["reason"]], [
      pid,
      "SIGKILL",
      "memory",
    ]);
    await server.process.stop();
    assert.deepEqual(below(unit), []);
  });
}
