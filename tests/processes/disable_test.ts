/** `disable`: a service that is checked, and does not run. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { portico } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { ManagedServer, TCP, versioned } from "../support/managed-server.ts";

const off = { disable: true };

test("disable: a reload switches a service off and on; status, list and check tell", async (t) => {
  const server = await ManagedServer.start(t, {
    kept: versioned(TCP, 1),
    one: versioned(TCP, 1, off),
  });
  assert.equal((await server.service("one")).state, "disabled");
  assert.deepEqual((await server.service("one")).endpoints, []);
  assert.equal((await server.ctl("health")).code, 0, "it is as it should be");
  assert.match((await server.ctl("status")).out, /^one +disabled +async +0 /m);
  const line = (await portico("ctl", "list")).out.split("\n").find((one) =>
    one.includes(server.home)
  );
  assert.match(line ?? "", / running .* 1 +\S+$/);
  const { out } = await portico("check", server.home);
  assert.match(out, /^ok +one +plugin .*disabled +it does not run$/m);
  for (const verb of ["suspend", "resume", "drain", "restart", "stop"]) {
    const { code, err } = await server.ctl(verb, "one");
    assert.notEqual(code, 0, verb);
    assert.match(err, /"one" is disabled in the manifest/);
  }

  server.write({ kept: versioned(TCP, 1), one: versioned(TCP, 1) });
  const { added, unchanged } = await server.reload();
  assert.deepEqual([added, unchanged], [["one"], ["kept"]]);
  const endpoint = await server.endpoint("one", "tcp");
  assert.match(await server.version(endpoint), /1/);

  server.write({ kept: versioned(TCP, 1), one: versioned(TCP, 1, off) });
  assert.deepEqual((await server.reload()).removed, ["one"]);
  assert.equal((await server.service("one")).state, "disabled");
  await assert.rejects(server.version(endpoint));
  await server.process.stop();
});

test("disable: its address may be that of another one, and its plugin is not loaded", async (t) => {
  const server = ManagedServer.prepare(t, {
    kept: versioned("unix:./a.sock", 1),
    one: { plugin: "./broken.ts", listen: "unix:./a.sock", disable: true },
  });
  writeFileSync(join(server.home, "broken.ts"), 'throw new Error("not written yet");\n');
  await server.start();
  assert.equal((await server.service("kept")).state, "running");
  await server.process.stop();
});

test("disable: what is wrong in it is told all the same", async (t) => {
  const service = (more: object): object => ({
    plugin: "echo",
    listen: TCP,
    disable: true,
    ...more,
  });
  for (
    const [more, pattern] of [
      [{ limits: { idle: "3 parsecs" } }, /services\.one\.limits\.idle/],
      [{ listen: "tcp://nowhere" }, /services\.one\.listen/],
      [{ options: { uper: true } }, /services\.one\.options\.uper/],
      [{ plugin: "ehco" }, /services\.one\.plugin/],
      [{ disable: "yes" }, /services\.one\.disable\n.*"yes"\n.*true or false/],
    ] as const
  ) {
    const home = folder(t, {
      "portico.json": JSON.stringify({ services: { one: service(more) } }),
    });
    const { code, err } = await portico("check", home);
    assert.equal(code, 2, err);
    assert.match(err, pattern);
  }
});

test("disable: a variable of the environment may say it", async (t) => {
  const server = ManagedServer.prepare(t, {
    one: versioned(TCP, 1, { disable: "${OFF:-false}" }),
    two: versioned(TCP, 1, { disable: "${ON:-true}" }),
  });
  await server.start();
  assert.equal((await server.service("one")).state, "running");
  assert.equal((await server.service("two")).state, "disabled");
  await server.process.stop();
});
