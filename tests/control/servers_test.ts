/** Finding the servers of this user, wherever their control sockets are. */
import assert from "node:assert/strict";
import { chownSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { announce, announcedPaths, controlPath } from "../../runtime/control/path.ts";
import { findByManifest, findServers } from "../../runtime/control/servers.ts";
import { adapter } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { lackingRoot } from "../support/permissions.ts";
import { fakeControl, serveControl, STATUS } from "./fake.ts";

const SOON = { patience: 200, stale: 0 };

/** A runtime folder of this test alone, while `body` runs. Others of this user may be found beside it. */
async function inRuntimeFolder(
  t: Pick<TestContext, "after">,
  body: (home: string) => Promise<void>,
): Promise<void> {
  const home = folder(t, { "run/x": "", "app/portico.json": "{}" });
  const before = process.env["XDG_RUNTIME_DIR"];
  process.env["XDG_RUNTIME_DIR"] = join(home, "run");
  try {
    await body(home);
  } finally {
    if (before === undefined) delete process.env["XDG_RUNTIME_DIR"];
    else process.env["XDG_RUNTIME_DIR"] = before;
  }
}

async function socketsBelow(home: string, options = SOON): Promise<string[]> {
  const found = await findServers(adapter, options);
  return found.map(({ socket }) => socket).filter((socket) => socket.startsWith(home));
}

test("servers in the default place and anywhere else are found, each once", async (t) => {
  await inRuntimeFolder(t, async (home) => {
    const file = join(home, "app/portico.json");
    const first = controlPath({ file, control: undefined })!;
    const control = fakeControl({ status: () => ({ ...STATUS, manifest: file }) });
    const one = await serveControl(t, control, first);
    const elsewhere = join(home, "app/own.sock");
    const two = await serveControl(t, fakeControl(), elsewhere);
    assert.deepEqual(await socketsBelow(home), [first], "nobody knows of the other one");
    const withdraw = [announce(first), announce(elsewhere)];
    assert.deepEqual(await socketsBelow(home), [elsewhere, first]);
    // By where the manifest was, though it is there no more.
    renameSync(join(home, "app"), join(home, "old"));
    assert.deepEqual((await findByManifest(adapter, [file])).map(({ socket }) => socket), [first]);
    renameSync(join(home, "old"), join(home, "app"));
    for (const each of withdraw) each();
    assert.deepEqual([first, elsewhere].flatMap(announcedPaths).filter(existsSync), []);
    await Promise.all([one.close(), two.close()]);
  });
});

test("a manifest is found by a link to it, too", async (t) => {
  await inRuntimeFolder(t, async (home) => {
    symlinkSync("app", join(home, "link"));
    const file = join(home, "app/portico.json");
    const control = fakeControl({ status: () => ({ ...STATUS, manifest: file }) });
    const { path, close } = await serveControl(
      t,
      control,
      controlPath({ file, control: undefined })!,
    );
    const found = await findByManifest(adapter, [join(home, "link/portico.json")]);
    assert.deepEqual(found.map(({ socket }) => socket), [path]);
    await close();
  });
});

test("what a killed server has left is removed; what may be just being opened is not", async (t) => {
  await inRuntimeFolder(t, async (home) => {
    const run = join(home, "run/portico");
    mkdirSync(run, { mode: 0o700 });
    const stale = join(run, "stale-1.ctl");
    // A file of a socket on which nobody listens: renamed, so that its server does not remove it.
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(run, "s"), resolve));
    renameSync(join(run, "s"), stale);
    await new Promise((resolve) => server.close(resolve));
    symlinkSync(join(home, "nothing"), join(run, "dangling-1.ctl"));
    const left = [stale, join(run, "dangling-1.ctl")];
    assert.deepEqual(await socketsBelow(home, { ...SOON, stale: 10_000 }), []);
    const there = (path: string): boolean => existsSync(path) || path === left[1];
    assert.ok(left.every(there));
    assert.deepEqual(await socketsBelow(home), []);
    assert.deepEqual(left.filter(existsSync), []);
    const { symlinks } = await entries(run);
    assert.deepEqual(symlinks, []);
  });
});

async function entries(path: string): Promise<{ symlinks: string[] }> {
  const { readdir } = await import("node:fs/promises");
  const all = await readdir(path, { withFileTypes: true });
  return { symlinks: all.filter((entry) => entry.isSymbolicLink()).map(({ name }) => name) };
}

test("one that does not answer is told as that, and left alone", async (t) => {
  await inRuntimeFolder(t, async (home) => {
    const run = join(home, "run/portico");
    mkdirSync(run, { mode: 0o700 });
    const path = join(run, "silent-1.ctl");
    const server = createServer((peer) => void peer.resume());
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const found = await findServers(adapter, SOON);
    const silent = found.find(({ socket }) => socket === path);
    assert.match(String(silent?.status), /has not answered for 200 ms/);
    assert.ok(existsSync(path));
    await new Promise((resolve) => server.close(resolve));
  });
});

test("a link that leads to another user's socket is not followed", {
  skip: lackingRoot,
}, async (t) => {
  await inRuntimeFolder(t, async (home) => {
    const { path, close } = await serveControl(t, fakeControl(), join(home, "theirs"));
    const withdraw = announce(path);
    assert.deepEqual(await socketsBelow(home), [path]);
    chownSync(path, 4321, 4321);
    assert.deepEqual(await socketsBelow(home), []);
    withdraw();
    await close();
    rmSync(path, { force: true });
  });
});
