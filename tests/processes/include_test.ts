/** `includedir` while a server runs: files that come, change and go. */
import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { portico } from "../support/command.ts";
import { ManagedServer, TCP, versioned } from "../support/managed-server.ts";

function prepared(t: Parameters<typeof ManagedServer.prepare>[0]): {
  server: ManagedServer;
  write: (name: string, service: object) => void;
} {
  const server = ManagedServer.prepare(t, { own: versioned(TCP, 1) }, {
    includedir: "./services.d",
  });
  const place = join(server.home, "services.d");
  mkdirSync(place);
  return {
    server,
    write(name, service) {
      // As a deployment does it: complete, or not there.
      writeFileSync(join(place, `.${name}.new`), JSON.stringify(service));
      renameSync(join(place, `.${name}.new`), join(place, name));
    },
  };
}

test("a reload sees files that are new, changed and gone, and keeps all if one is wrong", async (t) => {
  const { server, write } = prepared(t);
  write("one.json", versioned(TCP, 1));
  await server.start();
  assert.equal((await server.service("one")).state, "running");

  write("two.json", versioned(TCP, 1));
  write("one.json", versioned(TCP, 2));
  const { added, changed, unchanged } = await server.reload();
  assert.deepEqual([added, changed, unchanged], [["two"], ["one"], ["own"]]);

  write("two.json", { plugin: "echo", listen: TCP, limits: { idle: "x" } });
  rmSync(join(server.home, "services.d/one.json"));
  await assert.rejects(
    server.reload(),
    /services\.d\/two\.json:1:\d+ +services\.two\.limits\.idle/,
  );
  assert.equal((await server.service("one")).state, "running", "nothing has changed");

  rmSync(join(server.home, "services.d/two.json"));
  assert.deepEqual((await server.reload()).removed.toSorted(), ["one", "two"]);
  await server.process.stop();
});

test("--watch sees them by itself, be the folder empty at first", async (t) => {
  const { server, write } = prepared(t);
  await server.start(server.home, "--watch");
  write("one.json", versioned(TCP, 1));
  const first = await server.process.record({ event: "reload" });
  assert.deepEqual(first["added"], ["one"]);
  write("one.json", versioned(TCP, 2));
  const [, second] = await server.process.count(2, { event: "reload" });
  assert.deepEqual(second!["changed"], ["one"]);
  rmSync(join(server.home, "services.d/one.json"));
  const [, , third] = await server.process.count(3, { event: "reload" });
  assert.deepEqual(third!["removed"], ["one"]);
  await server.process.stop();
});

test("check tells of a place in another file", async (t) => {
  const { server, write } = prepared(t);
  write("one.json", { plugin: "echo", listen: "unix:./no/such/folder.sock" });
  const { code, out } = await portico("check", server.home);
  assert.equal(code, 2);
  assert.match(out, /^no +one .*\(one\.json:1:\d+ services\.one\.listen\)$/m);
});
