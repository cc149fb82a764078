/** `resources` kept by control groups: on a tree that keeps the kernel's rules, and on the kernel's own. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { test } from "node:test";
import { ControlGroups } from "../runtime/cgroup/groups.ts";
import { placeOf } from "../runtime/cgroup/place.ts";
import { describeKeeping, lackingGroup } from "../runtime/cgroup/probe.ts";
import { FakeTree, kernelGroup, WITHOUT_CONTROLLERS } from "./support/cgroups.ts";
import { readdirSync, readFileSync } from "node:fs";
import { startManifest } from "./support/in-process.ts";
import { dial } from "./support/peers.ts";
import { ask, probe, twoWorkers, who } from "./support/probe.ts";
import { sendSignal } from "./support/proc.ts";
import type { Scope } from "./support/scope.ts";
import { lackingWorkers, PROCESSES } from "./support/strategies.ts";

const ME = 1000;
const MB = 1e6;

/** A tree in which whoever is not said to be dead is alive. */
function tree(controllers?: string): FakeTree & { readonly dead: Set<number> } {
  const dead = new Set<number>();
  const made = new FakeTree(ME, controllers);
  made.alive = (pid) => !dead.has(pid);
  return Object.assign(made, { dead });
}

const RESOURCES = {
  memory: 100 * MB,
  processes: 50,
  total: { memory: 300 * MB, cpu: 1.5, processes: 80 },
};

test("a service has a group with its limits, a worker one below it", () => {
  const files = tree();
  const groups = new ControlGroups(files, ME);
  const group = groups.open("web", RESOURCES)!;
  assert.equal(files.groupOf(ME), "/unit/supervisor");
  const worker = group.enter(2000);
  assert.equal(files.groupOf(2000), "/unit/service-web/worker-1000-1");
  const of = (file: string) => files.read(`/fake/unit/service-web/${file}`);
  assert.deepEqual(["memory.max", "pids.max", "cpu.max"].map(of), [
    String(300 * MB),
    "80",
    "150000 100000",
  ]);
  assert.deepEqual(
    ["memory.max", "pids.max", "memory.oom.group"].map((file) => of(`worker-1000-1/${file}`)),
    [String(100 * MB), "50", "1"],
  );
  files.dead.add(2000);
  assert.equal(worker.ended(), undefined);
  assert.deepEqual(files.below, ["service-web", "supervisor"]);
  group.close();
  assert.deepEqual(files.below, ["supervisor"]);
  groups.close();
  assert.deepEqual(files.below, []);
  assert.equal(files.groupOf(ME), "/unit");
  assert.equal(files.read("/fake/unit/cgroup.subtree_control"), "\n");
});

test("what the kernel has killed for want of memory is told of its worker alone", () => {
  const files = tree();
  const group = new ControlGroups(files, ME).open("web", RESOURCES)!;
  const [one, two] = [group.enter(2000), group.enter(2001)];
  const events = "/fake/unit/service-web/worker-1000-2/memory.events";
  files.write(events, "low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n");
  files.dead.add(2000).add(2001);
  assert.deepEqual([one.ended(), two.ended()], [undefined, "memory"]);
});

test("usage is what the files of the service say", () => {
  const files = tree();
  const group = new ControlGroups(files, ME).open("web", RESOURCES)!;
  group.enter(2000);
  const at = "/fake/unit/service-web/";
  files.write(`${at}cpu.stat`, "usage_usec 2500000\nnr_throttled 3\nthrottled_usec 1500000\n");
  files.write(`${at}memory.current`, "4096\n");
  files.write(`${at}pids.current`, "12\n");
  files.write(`${at}memory.events`, "oom_kill 2\n");
  files.write(`${at}pids.events`, "max 0\n");
  // As it was before Linux 6.11.
  files.write(`${at}worker-1000-1/pids.events`, "max 4\n");
  assert.deepEqual(group.usage(), {
    controllers: ["memory", "cpu", "pids"],
    cpu: 2.5,
    throttled: 1.5,
    memory: 4096,
    processes: 12,
    killed: 2,
    denied: 4,
  });
});

test("only what was delegated is used, and what nothing else can keep is an error that says what to do", () => {
  const files = tree("memory");
  const groups = new ControlGroups(files, ME);
  const group = groups.open("web", { memory: 1, processes: 5, total: { memory: 2 } })!;
  assert.deepEqual([...group.controllers], ["memory"]);
  assert.throws(
    () => groups.open("b", { total: { cpu: 1 } }),
    /resources\.total\.cpu: the controller cpu has not been delegated to \/fake\/unit; Delegate=memory cpu pids/,
  );
  assert.throws(
    () => groups.open("b", { total: { processes: 9 } }),
    /resources\.total\.processes:/,
  );
  assert.equal(
    groups.open("c", { files: 100, cpu: 1000 }),
    undefined,
    "the kernel need not do anything",
  );
});

test("a group that is not ours alone, or may not be written, is left as it was", () => {
  const shared = tree();
  shared.write("/fake/unit/cgroup.procs", "77");
  shared.parents.set(77, 1);
  assert.equal(new ControlGroups(shared, ME).open("web", { memory: 1 }), undefined);
  assert.deepEqual([shared.groupOf(ME), shared.groupOf(77), shared.below], ["/unit", "/unit", []]);
  assert.match(lackingGroup("memory", ME, shared)!.reason, /has other processes in it: 77/);
  const readOnly = tree();
  readOnly.readOnly = true;
  assert.equal(new ControlGroups(readOnly, ME).open("web", { memory: 1 }), undefined);
  assert.match(lackingGroup("memory", ME, readOnly)!.reason, /not this user's to divide: EROFS/);
});

test("what this server has started before makes room with it", () => {
  const files = tree();
  for (const pid of ["70", "71"]) files.write("/fake/unit/cgroup.procs", pid);
  files.parents.set(70, ME).set(71, 70);
  const groups = new ControlGroups(files, ME);
  assert.ok(groups.open("web", { memory: 1 }));
  assert.deepEqual([70, 71].map((pid) => files.groupOf(pid)), [
    "/unit/supervisor",
    "/unit/supervisor",
  ]);
});

test("the group of the whole machine is nobody's", () => {
  const root = new FakeTree(ME, "");
  root.groups.get("/fake/unit")!.procs.clear();
  root.groups.get("/fake")!.procs.add(ME);
  root.alive = () => true;
  const place = placeOf(root, ME);
  assert.ok("reason" in place && /group of the whole machine/.test(place.reason));
});

test("a reload goes on in the same group, and no limit is left of the one before", () => {
  const files = tree();
  const groups = new ControlGroups(files, ME);
  const before = groups.open("web", RESOURCES)!;
  const old = before.enter(2000);
  const after = groups.open("web", { memory: 5 * MB })!;
  const young = after.enter(2001);
  assert.equal(files.read("/fake/unit/service-web/cpu.max"), "max 100000");
  assert.equal(files.read("/fake/unit/service-web/memory.max"), "max");
  files.dead.add(2000);
  old.ended();
  before.close();
  assert.equal(files.groupOf(2001), "/unit/service-web/worker-1000-2");
  files.dead.add(2001);
  young.ended();
  after.close();
  assert.deepEqual(files.below, ["supervisor"]);
});

test("a successor goes on in the groups of the server before it, and the last of them clears up", () => {
  const files = tree();
  const first = new ControlGroups(files, ME);
  const before = first.open("web", RESOURCES)!;
  const old = before.enter(2000);
  files.write("/fake/unit/supervisor/cgroup.procs", "1001");
  const second = new ControlGroups(files, 1001);
  const after = second.open("web", RESOURCES)!;
  const young = after.enter(2001);
  assert.equal(files.groupOf(2001), "/unit/service-web/worker-1001-1");
  files.dead.add(2000);
  old.ended();
  before.close();
  first.close();
  assert.deepEqual([files.groupOf(ME), files.groupOf(2001)], [
    "/unit/supervisor",
    "/unit/service-web/worker-1001-1",
  ]);
  files.dead.add(ME).add(2001);
  young.ended();
  after.close();
  second.close();
  assert.deepEqual([files.below, files.groupOf(1001)], [[], "/unit"]);
});

test("a group that a server before this one removes meanwhile is made again, with its limits", () => {
  const files = tree();
  const group = new ControlGroups(files, ME).open("web", RESOURCES)!;
  files.remove("/fake/unit/service-web");
  group.enter(2000);
  assert.equal(files.read("/fake/unit/service-web/pids.max"), "80");
  assert.equal(files.groupOf(2000), "/unit/service-web/worker-1000-1");
});

test("what a killed server has left is removed by the next, and what outlives a worker later", () => {
  const files = tree();
  new ControlGroups(files, ME).open("gone", RESOURCES)!.enter(2000);
  files.dead.add(2000).add(ME);
  files.write("/fake/unit/supervisor/cgroup.procs", "1001");
  const groups = new ControlGroups(files, 1001);
  const group = groups.open("web", RESOURCES)!;
  assert.deepEqual(files.below, ["service-web", "supervisor"]);
  const worker = group.enter(2001);
  files.write("/fake/unit/service-web/worker-1001-1/cgroup.procs", "2002");
  files.dead.add(2001);
  worker.ended();
  assert.equal(files.groupOf(2002), "/unit/service-web/worker-1001-1", "its program runs on");
  files.dead.add(2002);
  group.close();
  assert.deepEqual(files.below, ["supervisor"]);
});

test("a worker that has ended before it was moved is no error", () => {
  const files = tree();
  const group = new ControlGroups(files, ME).open("web", RESOURCES)!;
  files.dead.add(2000);
  assert.equal(group.enter(2000).ended(), undefined);
  assert.deepEqual(files.below, ["service-web", "supervisor"]);
});

test("who the server becomes may divide and enter its groups", () => {
  const files = tree();
  const groups = new ControlGroups(files, ME);
  groups.open("web", RESOURCES)!.enter(2000);
  groups.give(33, 44);
  for (const group of ["", "/supervisor", "/service-web", "/service-web/worker-1000-1"]) {
    for (const file of ["", "/cgroup.procs", "/cgroup.subtree_control"]) {
      assert.equal(files.owners.get(`/unit${group}${file}`), "33:44", `${group}${file}`);
    }
  }
});

test("check says by what each limit is kept, and why", () => {
  const files = tree("memory cpu");
  const { lacks, notes } = describeKeeping(RESOURCES, ME, files);
  assert.deepEqual(lacks.map(({ reason }) => reason), [
    "total.processes: the controller pids has not been delegated to /fake/unit",
  ]);
  assert.deepEqual(notes, [
    "memory: kept by the kernel (cgroup v2)",
    "total.cpu: kept by the kernel (cgroup v2)",
  ]);
  const { notes: without } = describeKeeping({ memory: 1 }, ME, tree("cpu"));
  assert.match(
    without[0]!,
    /^memory is looked at four times a second: the controller memory has not/,
  );
});

/** A program that runs until it is told not to. */
function sleeper(scope: Scope): ChildProcess & { readonly pid: number } {
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  scope.after(() => void child.kill());
  return child as ChildProcess & { readonly pid: number };
}

test("the kernel's own groups: processes are put there, and nothing is left", async (t) => {
  const unit = kernelGroup(t);
  if (typeof unit !== "string") return t.skip(unit.lacking);
  const groupOf = (pid: number): string =>
    /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))![1]!.slice(-60);
  const before = sleeper(t);
  const groups = new ControlGroups(WITHOUT_CONTROLLERS);
  const group = groups.open("web", RESOURCES)!;
  assert.match(groupOf(process.pid), /\/supervisor$/);
  assert.match(groupOf(before.pid), /\/supervisor$/, "a child of before");
  const [one, two] = [sleeper(t), sleeper(t)];
  const [first, second] = [group.enter(one.pid), group.enter(two.pid)];
  assert.match(groupOf(one.pid), /\/service-web\/worker-\d+-1$/);
  assert.ok(group.usage().cpu >= 0);
  for (const [child, worker] of [[one, first], [two, second]] as const) {
    child.kill("SIGKILL");
    await once(child, "exit");
    worker.ended();
  }
  const below = (): string[] =>
    readdirSync(unit, { withFileTypes: true }).filter((found) => found.isDirectory())
      .map(({ name }) => name).sort();
  assert.deepEqual(below(), ["service-web", "supervisor"]);
  group.close();
  assert.deepEqual(below(), ["supervisor"]);
  before.kill("SIGKILL");
  await once(before, "exit");
  groups.close();
  assert.deepEqual(below(), []);
  assert.equal(groupOf(process.pid), groupOf(process.pid).replace("/supervisor", ""));
});

for (const strategy of PROCESSES) {
  test(`${strategy}: workers are in groups before they serve, and their ends say why`, {
    skip: lackingWorkers,
  }, async (t) => {
    const files = new FakeTree();
    const groups = new ControlGroups(files);
    const server = await startManifest(
      t,
      {
        web: probe(twoWorkers(strategy), {}, {
          resources: { ...RESOURCES, total: { ...RESOURCES.total, cpu: "150%" } },
        }),
      },
      {},
      { groups: () => Promise.resolve(groups) },
    );
    const peer = await dial(t, server.endpoint());
    const { pid } = await who(peer);
    const leaf = files.groupOf(pid)!;
    assert.match(leaf, /^\/unit\/service-web\/worker-\d+-\d+$/);
    assert.equal(files.groupOf(process.pid), "/unit/supervisor");
    // Nobody else looks at it: that is the kernel's.
    assert.equal(await ask(peer, "grow 150"), "grown");
    assert.deepEqual(server.status().group?.controllers, ["memory", "cpu", "pids"]);
    files.write("/fake/unit/service-web/pids.events", "max 3\n");
    const limited = await server.record({ event: "worker", action: "limited" });
    assert.deepEqual([limited["reason"], limited["count"], limited.level], [
      "processes",
      3,
      "warn",
    ]);
    files.write(`/fake${leaf}/memory.events`, "oom 1\noom_kill 1\n");
    sendSignal(pid, "SIGKILL");
    const exited = await server.record({ event: "worker", action: "exited" });
    assert.deepEqual([exited["pid"], exited["reason"]], [pid, "memory"]);
    await peer.over();
    const next = await dial(t, server.endpoint());
    assert.notEqual(files.groupOf((await who(next)).pid), leaf);
    next.end();
    await server.running.stop();
    assert.deepEqual(files.below, ["supervisor"]);
    groups.close();
    assert.deepEqual(files.below, []);
  });
}

test("without groups the largest worker ends when all of them have too much", {
  skip: lackingWorkers,
}, async (t) => {
  const resources = { total: { memory: "900MB" } };
  const server = await startManifest(t, {
    web: probe({ strategy: "processes", workers: 2 }, {}, { resources }),
  });
  const [one, two] = [await dial(t, server.endpoint()), await dial(t, server.endpoint())];
  const [small, large] = [await who(one), await who(two)];
  assert.notEqual(small.pid, large.pid);
  one.send("grow 300\n");
  await one.when("that it has grown", () => one.text.includes("grown"));
  two.send("grow 600\n");
  await two.over();
  const exited = await server.record({ event: "worker", action: "exited" });
  assert.deepEqual([exited["pid"], exited["reason"]], [large.pid, "memory"]);
  assert.equal((await who(one)).pid, small.pid);
  one.end();
});

test(
  "without groups a limit that nothing else keeps is an error",
  { skip: lackingWorkers },
  async (t) => {
    const starting = startManifest(t, {
      web: probe("processes", {}, { resources: { total: { cpu: "50%" } } }),
    });
    await assert.rejects(
      starting,
      /service "web": resources\.total\.cpu: this server has no control groups/,
    );
  },
);
