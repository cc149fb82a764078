/** `portico ctl list`, and servers whose manifest has gone. */
import assert from "node:assert/strict";
import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { announcedPaths } from "../../runtime/control/path.ts";
import { portico } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { ManagedServer, TCP, versioned } from "../support/managed-server.ts";
import { gone, sendSignal } from "../support/proc.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { lackingWorkers } from "../support/strategies.ts";

interface Listed {
  readonly pid: number;
  readonly state: string;
  readonly uptime: number;
  readonly runtime: string;
  readonly manifest: string;
  readonly socket: string;
  readonly services: Readonly<Record<string, string>>;
}

const services = { echo: { plugin: "echo", listen: TCP } };

/** Of all servers of this user those of these manifests: others may run beside this test. */
async function listed(...manifests: readonly string[]): Promise<Listed[]> {
  const { code, out, err } = await portico("ctl", "list", "--json");
  assert.equal(code, 0, err);
  return (JSON.parse(out) as Listed[]).filter(({ manifest }) => manifests.includes(manifest));
}

test("list has every server with what it says of itself; after its end, however it came, none", async (t) => {
  const home = folder(t, { "portico.json": JSON.stringify({ services }) });
  const file = join(home, "portico.json");
  const plain = await startServer(t, home, { command: ["run"], words: [] });
  const own = await ManagedServer.start(t, services);
  const found = await listed(file, own.file);
  assert.deepEqual(new Set(found.map(({ pid }) => pid)), new Set([plain.pid, own.process.pid]));
  const one = found.find(({ pid }) => pid === own.process.pid)!;
  assert.deepEqual([one.state, one.services], ["running", { echo: "running" }]);
  assert.equal(one.socket, own.control);
  assert.match(one.runtime, /^(?:node|bun|deno) \d/);
  assert.ok(one.uptime < 60);

  await own.ask("suspend", { service: "echo" });
  const { out } = await portico("ctl", "list");
  const rows = out.split("\n").map((line) => line.split(/ {2,}/));
  assert.deepEqual(rows[0], ["pid", "state", "up", "runtime", "services", "manifest"]);
  const row = rows.find((cells) => cells.at(-1) === own.file)!;
  assert.deepEqual([row[0], row[1], row[4]], [String(own.process.pid), "suspended", "1"]);

  await own.process.stop();
  assert.deepEqual(announcedPaths(own.control).filter(existsSync), [], "no link is left");
  await plain.kill();
  assert.deepEqual(await listed(file, own.file), []);
});

test("list follows an upgrade, also to another control socket", {
  skip: lackingWorkers,
}, async (t) => {
  const managed = await ManagedServer.start(t, { echo: versioned(TCP, 1) });
  const before = managed.control;
  const next = await managed.upgrade();
  assert.deepEqual((await listed(managed.file)).map(({ pid }) => pid), [next]);
  managed.write({ echo: versioned(TCP, 1) }, { control: "unix:./d" });
  managed.setControl("d");
  const { code, out, err } = await portico("ctl", "upgrade", "--socket", before);
  assert.equal(code, 0, err);
  const last = Number(/process (\d+)/.exec(out)![1]);
  managed.track(last);
  assert.deepEqual((await listed(managed.file)).map(({ pid, socket }) => [pid, socket]), [
    [last, managed.control],
  ]);
  assert.deepEqual(announcedPaths(before).filter(existsSync), []);
  await managed.ask("stop", {}, { toTheEnd: true });
  await gone([last]);
  assert.deepEqual(announcedPaths(managed.control).filter(existsSync), []);
});

/** Asks by the manifest's path, and by its folder. */
async function finds(server: ServerProcess, ...paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const { code, out, err } = await portico("ctl", "status", "--json", "--manifest", path);
    assert.equal(code, 0, `${path}: ${err}`);
    assert.equal(JSON.parse(out).pid, server.pid);
  }
}

test("a server is found by its manifest's path when that has gone, is broken or says something else", async (t) => {
  const home = folder(t, { "app/portico.json": JSON.stringify({ services }) });
  const app = join(home, "app");
  const file = join(app, "portico.json");
  const text = JSON.stringify({ services });
  const server = await startServer(t, app);
  rmSync(file);
  await finds(server, file, app);
  renameSync(app, join(home, "moved"));
  await finds(server, file, app);
  rmSync(join(home, "moved"), { recursive: true });
  await finds(server, file, app);
  const other = await portico("ctl", "status", "--manifest", join(home, "moved"));
  assert.equal(other.code, 2, "a path that never was a manifest finds nobody");
  assert.match(other.err, /no manifest/);
  folderAgain(app, file, `${text.slice(0, -1)}, "control": "unix:./own.ctl"}`);
  await finds(server, file, app);
  writeFileSync(file, `${text.slice(0, -1)}, "control": false}`);
  await finds(server, file);
  writeFileSync(file, "{");
  await finds(server, file);
  assert.equal((await portico("ctl", "stop", "--manifest", app)).code, 0);
  assert.equal(await server.ended(), 0);
  assert.equal((await portico("ctl", "status", "--manifest", app)).code, 2);
});

function folderAgain(app: string, file: string, text: string): void {
  renameSync(folder({ after() {} }, { "portico.json": text }), app);
  assert.ok(existsSync(file));
}

test("a control socket of its own is found, too; of two servers of one manifest both are named", async (t) => {
  const control = "unix:./${PORTICO_TEST_NAME}.ctl";
  const home = folder(t, { "portico.json": JSON.stringify({ services, control }) });
  const file = join(home, "portico.json");
  const named = (name: string) => startServer(t, home, { env: { PORTICO_TEST_NAME: name } });
  const one = await named("one");
  await finds(one, file, home);
  rmSync(file);
  await finds(one, file, home);
  writeFileSync(file, JSON.stringify({ services, control }));
  const two = await named("two");
  const { code, err } = await portico("ctl", "status", "--manifest", home);
  assert.equal(code, 2);
  assert.match(err, /2 servers of .*portico\.json\n.*--socket .*one\.ctl, or --socket .*two\.ctl/);
  await one.stop();
  await finds(two, home);
  sendSignal(two.pid, "SIGTERM");
  await two.ended();
  assert.match((await portico("ctl", "status", "--manifest", home)).err, /PORTICO_TEST_NAME/);
});
