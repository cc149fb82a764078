/** The client of a control socket. */
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ask } from "../../runtime/control/client.ts";
import { ServerRefusal } from "../../runtime/control/refusal.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import type { ServerStatus } from "../../runtime/services/status.ts";
import { ECHO, fakeControl, serveControl, STATUS } from "./fake.ts";
import { adapter } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { within } from "../support/until.ts";

describe("ask", () => {
  test("resolves with an answer of any size, and says no with a ServerRefusal", async (t) => {
    const services = Array.from({ length: 5000 }, (_, i) => ({ ...ECHO, service: `é${i}` }));
    const { path, close } = await serveControl(
      t,
      fakeControl({
        status: () => ({ ...STATUS, services }),
        reload: () => Promise.reject(new PorticoError("MANIFEST_SYNTAX", "no")),
      }),
    );
    const status = await ask(adapter, path, { command: "status" }) as ServerStatus;
    assert.deepEqual(status.services, services);
    await assert.rejects(ask(adapter, path, { command: "reload" }), (error) => {
      assert.ok(error instanceof ServerRefusal);
      assert.deepEqual([error.code, error.message], ["MANIFEST_SYNTAX", "no"]);
      return true;
    });
    await close();
    await assert.rejects(ask(adapter, path, { command: "status" }), { code: "ENOENT" });
  });

  test("says why there is no answer", async (t) => {
    const path = join(folder(t, {}), "s");
    let speak = (peer: Socket): void => void peer.end();
    const peers = new Set<Socket>();
    const server = createServer((peer) => {
      peers.add(peer);
      peer.on("error", () => {});
      peer.once("data", () => speak(peer));
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const status = { command: "status" } as const;
    await assert.rejects(ask(adapter, path, status), {
      code: "CONTROL_FAILED",
      message: `the server at unix:${path}: it ended before it answered`,
    });
    speak = (peer) => void peer.end("hello\n");
    await assert.rejects(ask(adapter, path, status), { message: /what it answers is no JSON/ });
    speak = () => {};
    await assert.rejects(ask(adapter, path, status, { patience: 20 }), {
      message: /it has not answered for 20 ms/,
    });
    speak = (peer) => void peer.end('{"ok":false,"code":"ENEW","message":"of a later version"}\n');
    await assert.rejects(ask(adapter, path, status), {
      code: "CONTROL_FAILED",
      message: "of a later version",
    });
    for (const peer of peers) peer.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  test("waits to the end where that is asked for", async (t) => {
    const { path, close } = await serveControl(t, fakeControl());
    let over = false;
    const stopped = ask(adapter, path, { command: "stop" }, { toTheEnd: true });
    void stopped.then(() => over = true);
    await ask(adapter, path, { command: "resume" });
    assert.equal(over, false);
    await close();
    assert.deepEqual(await within("the end", stopped), ["echo", "time"]);
  });
});
