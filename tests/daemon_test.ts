/** What a daemon has opened is closed again, at whatever step its start fails. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test, type TestContext } from "node:test";
import { Daemon } from "../runtime/daemon/daemon.ts";
import { loadManifest } from "../runtime/daemon/loaded-manifest.ts";
import { load } from "../runtime/manifest/load.ts";
import { memoryRecords } from "../runtime/sinks/memory.ts";
import { adapter } from "./support/adapter.ts";
import { folder } from "./support/folder.ts";

const HEARD = ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2", "uncaughtException", "unhandledRejection"];

/** How many listeners this process has, by event. */
function listeners(): number[] {
  return HEARD.map((event) => process.listenerCount(event));
}

/** The folder of a manifest whose first service can be started. */
function home(t: TestContext, name: string, rest: object, second?: object): string {
  const first = { plugin: "echo", listen: "unix:./first.sock" };
  const text = JSON.stringify({
    ...rest,
    control: "unix:./control.sock",
    sinks: { [name]: { type: "memory" } },
    defaults: { log: name },
    services: { first, ...(second && { second }) },
  });
  return folder(t, { "portico.json": text });
}

async function assemble(path: string): Promise<Daemon> {
  const read = () => load(path);
  const options = { read, words: ["run", path], json: false, watch: true, stats: false };
  return await Daemon.assemble(options, await loadManifest(read, options), adapter, undefined);
}

/** Asserts that nothing is left of a daemon. */
function assertClosed(path: string, before: readonly number[]): void {
  assert.deepEqual(
    ["first.sock", "control.sock"].filter((name) => existsSync(join(path, name))),
    [],
  );
  assert.deepEqual(listeners(), before, HEARD.join(", "));
}

describe("Daemon", () => {
  test("a daemon that is stopped has closed what it opened, and says why", async (t) => {
    const before = listeners();
    const path = home(t, "stopped", {});
    {
      await using daemon = await assemble(path);
      await daemon.start();
      assert.ok(existsSync(join(path, "first.sock")) && existsSync(join(path, "control.sock")));
      assert.notDeepEqual(listeners(), before);
      await daemon.stop({ reason: "control", handed: false });
    }
    assertClosed(path, before);
    assert.equal(memoryRecords("stopped").at(-1)!["reason"], "control");
  });

  test("a daemon that is never started leaves nothing", async (t) => {
    const before = listeners();
    const path = home(t, "unstarted", {});
    await (await assemble(path))[Symbol.asyncDispose]();
    assertClosed(path, before);
  });

  const failures: readonly [step: string, rest: object, second?: object][] = [
    ["its second service cannot listen", {}, { plugin: "echo", listen: "unix:./none/second.sock" }],
    ["its user is not known", { user: "portico-nobody" }],
  ];
  for (const [step, rest, second] of failures) {
    test(`a daemon leaves nothing when ${step}`, async (t) => {
      const before = listeners();
      const path = home(t, "failed", rest, second);
      const daemon = await assemble(path);
      await assert.rejects(daemon.start(), { code: "ENOENT" });
      await daemon[Symbol.asyncDispose]();
      assertClosed(path, before);
    });
  }

  test("a daemon leaves another one alone that has its control socket", async (t) => {
    const path = home(t, "first", {});
    await using first = await assemble(path);
    await first.start();
    const before = listeners();
    const second = await assemble(path);
    await assert.rejects(second.start(), { code: "EADDRINUSE" });
    await second[Symbol.asyncDispose]();
    assert.deepEqual(listeners(), before);
    assert.ok(existsSync(join(path, "first.sock")) && existsSync(join(path, "control.sock")));
    await first.stop({ reason: "control", handed: false });
  });
});
