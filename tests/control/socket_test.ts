/** The control socket: requests and answers, one server for each manifest, its end and its successor. */
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { ask } from "../../runtime/control/client.ts";
import { LINE_MAX } from "../../runtime/control/request.ts";
import { openControl } from "../../runtime/control/socket.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { dialLines, fakeControl, openSockets, serveControl, STATUS, TIME } from "./fake.ts";
import { adapter, lackingFeature } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { within } from "../support/until.ts";

describe("control socket", () => {
  test("several requests on one connection are answered in order; the file is 0600, and gone at the end", async (t) => {
    const control = fakeControl();
    const { path, socket, close } = await serveControl(t, control);
    assert.equal(String(socket.address), `unix:${path}`);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const { say, hear, socket: peer } = await dialLines(path);
    say({ command: "status" });
    say({ command: "suspend", service: "echo" });
    say({ command: "drain" });
    say({ command: "upgrade", to: "deno" });
    say({ command: "status", service: "time" });
    assert.deepEqual(await hear(), { ok: true, result: STATUS });
    assert.deepEqual(await hear(), { ok: true, result: ["echo"] });
    assert.deepEqual(await hear(), { ok: true, result: ["echo", "time"] });
    assert.deepEqual(await hear(), { ok: true, result: 77 });
    assert.deepEqual(await hear(), { ok: true, result: { ...STATUS, services: [TIME] } });
    assert.deepEqual(control.asked, [["suspend", "echo"], ["drain", undefined], [
      "upgrade",
      "deno",
    ]]);
    peer.end();
    assert.equal(await hear(), undefined);
    await close();
    assert.equal(existsSync(path), false);
  });

  const wrong: [string, RegExp][] = [
    ["{", /one line of JSON: received "\{"/],
    ["", /one line of JSON/],
    ["[]", /an object, .*received \[\]/],
    ['{"command":"toString"}', /command is one of status, .*received "toString"/],
    ['{"command":"status","servce":"echo"}', /no key "servce"/],
    ['{"command":"stop","service":1}', /service is a name: received 1/],
    ['{"command":"reload","service":"echo"}', /reload concerns the whole server/],
    ['{"command":"stop","to":"bun"}', /to is one of node, bun, deno, for upgrade/],
    ['{"command":"upgrade","to":"perl"}', /received "perl"/],
    ['{"command":"restart"}', /concerns one service, .*upgrade is for the whole server/],
    ['{"command":"logs","level":"loud"}', /level is one of debug, info, .*received "loud"/],
    ['{"command":"status","level":"info"}', /level is one of .*, for logs/],
    ['{"command":"logs","lines":-1}', /lines is a whole number, for logs: received -1/],
    ['{"command":"logs","follow":"yes"}', /follow is true or false, for logs: received "yes"/],
    ['{"command":"stop","service":"ehco"}', /no service "ehco": echo, time; did you mean "echo"\?/],
  ];
  test("a bad line is answered with what is wrong, and the next one is served", async (t) => {
    const control = fakeControl();
    const { path, close } = await serveControl(t, control);
    const { say, hear, socket } = await dialLines(path);
    for (const [line, message] of wrong) {
      say(line);
      const answer = await hear() as { ok: boolean; code: string; message: string };
      assert.deepEqual([answer.ok, answer.code], [false, "USAGE"], line);
      assert.match(answer.message, message);
    }
    say({ command: "resume" });
    assert.deepEqual(await hear(), { ok: true, result: ["echo", "time"] });
    assert.deepEqual(control.asked, [["resume", undefined]], "nothing wrong was done");
    socket.destroy();
    await close();
  });

  test("a line that is too long is answered, and ends the connection", async (t) => {
    const { path, close } = await serveControl(t, fakeControl());
    const { say, hear, socket } = await dialLines(path);
    socket.on("error", () => {});
    say("x".repeat(LINE_MAX + 1));
    assert.equal((await hear() as { code: string }).code, "FRAME_TOO_LONG");
    assert.equal(await hear(), undefined);
    socket.destroy();
    await close();
  });

  test("what a verb throws is its answer", async (t) => {
    const { path, close } = await serveControl(
      t,
      fakeControl({
        reload: () => Promise.reject(new PorticoError("MANIFEST_INVALID", "portico.json:1:2 is")),
        drain: () => Promise.reject(new RangeError("a bug")),
        status: () => {
          throw new PorticoError("EMFILE");
        },
      }),
    );
    const { say, hear, socket } = await dialLines(path);
    say({ command: "reload" });
    say({ command: "drain" });
    assert.deepEqual(await hear(), {
      ok: false,
      code: "MANIFEST_INVALID",
      message: "portico.json:1:2 is",
    });
    assert.equal((await hear() as { code: string }).code, "EMFILE");
    socket.destroy();
    await close();
  });

  test("close ends those who ask nothing, and lets an answer go out", async (t) => {
    const draining = Promise.withResolvers<void>();
    const drained = Promise.withResolvers<readonly string[]>();
    const { path, close } = await serveControl(
      t,
      fakeControl({
        drain() {
          draining.resolve();
          return drained.promise;
        },
      }),
    );
    const idle = await dialLines(path);
    const busy = await dialLines(path);
    busy.say({ command: "drain" });
    await within("the request", draining.promise);
    const closed = close();
    assert.equal(await idle.hear(), undefined, "the idle one is over");
    drained.resolve(["echo"]);
    assert.deepEqual(await busy.hear(), { ok: true, result: ["echo"] });
    assert.equal(await busy.hear(), undefined);
    await within("the close", closed);
    assert.equal(existsSync(path), false);
    idle.socket.destroy();
    busy.socket.destroy();
  });

  test("close does not wait for ever for a verb that does not return", async (t) => {
    const draining = Promise.withResolvers<void>();
    const { path, close } = await serveControl(
      t,
      fakeControl({
        drain() {
          draining.resolve();
          return new Promise(() => {});
        },
      }),
    );
    const { say, hear, socket } = await dialLines(path);
    socket.on("error", () => {});
    say({ command: "drain" });
    await within("the request", draining.promise);
    await within("the close", close());
    assert.equal(await hear(), undefined);
    socket.destroy();
  });

  test("a second server is refused by name, and the first is not disturbed", async (t) => {
    const first = await serveControl(t, fakeControl());
    await assert.rejects(openControl(fakeControl(), first.path, adapter), (error) => {
      assert.ok(error instanceof PorticoError);
      assert.equal(error.code, "EADDRINUSE");
      assert.match(error.message, /another server with this manifest is running \(pid \d+\)/);
      assert.ok(error.message.includes(`pid ${process.pid}`));
      return true;
    });
    const other = fakeControl({ status: () => ({ ...STATUS, manifest: "/n/portico.json" }) });
    await assert.rejects(openControl(other, first.path, adapter), {
      code: "EADDRINUSE",
      message: /another server with the manifest \/m\/portico\.json is running/,
    });
    assert.deepEqual(await ask(adapter, first.path, { command: "resume" }), ["echo", "time"]);
    await first.close();
  });

  test("a socket of somebody who is no server stays as it is", async (t) => {
    const path = join(folder(t, {}), "other");
    const stranger = createServer((peer) => peer.resume().end());
    await new Promise<void>((resolve) => stranger.listen(path, resolve));
    await assert.rejects(openControl(fakeControl(), path, adapter), {
      code: "EADDRINUSE",
      message: /another process listens there/,
    });
    assert.equal(stranger.listening, true);
    await new Promise((resolve) => stranger.close(resolve));
  });

  test("the abstract namespace is refused", async () => {
    await assert.rejects(openControl(fakeControl(), "@portico", adapter), {
      code: "NOT_SUPPORTED",
    });
  });

  test("a successor takes the listener over, and the file stays", {
    skip: lackingFeature("descriptors"),
  }, async (t) => {
    const old = await serveControl(t, fakeControl({ upgrade: () => Promise.resolve(1) }));
    const { address } = old.socket;
    const fd = await old.socket.duplicate();
    const heir = await openControl(
      fakeControl({ upgrade: () => Promise.resolve(2) }),
      { transport: "unix", fd, address, owned: true },
      adapter,
    );
    openSockets.add(heir);
    await old.socket.close(true);
    openSockets.delete(old.socket);
    assert.equal(existsSync(old.path), true);
    assert.equal(await ask(adapter, old.path, { command: "upgrade" }), 2);
    await heir.close();
    openSockets.delete(heir);
    assert.equal(existsSync(old.path), false);
  });
});
