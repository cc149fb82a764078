/** Starts that have to fail: one block that names what is at fault, an exit code, and nothing left behind. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test, type TestContext } from "node:test";
import { lackingTransport } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { lackingPrograms } from "../support/packages.ts";
import { lackingOtherUsers } from "../support/permissions.ts";
import { failToStart, manifest, pluginPath, startServer } from "../support/server-process.ts";

const TCP = "tcp://127.0.0.1:0";

/** A manifest with a service that starts well, and then one that does not; the first is stopped again. */
async function failing(t: TestContext, second: object): ReturnType<typeof failToStart> {
  const home = folder(t, {
    "portico.json": manifest({
      first: { plugin: "echo", listen: ["unix:./first.sock", TCP] },
      second,
    }),
  });
  const failure = await failToStart(t, home);
  assert.equal(existsSync(join(home, "first.sock")), false, "the first service is stopped");
  return failure;
}

const odd = (options: string, limits: object = {}): object => ({
  plugin: pluginPath("odd"),
  listen: TCP,
  options,
  limits,
});

describe("a start", () => {
  for (const transport of ["tcp", "udp", "unix"] as const) {
    test(`a start fails with 1 when the address is in use (${transport}), and names service and endpoint`, async (t) => {
      const listen = transport === "unix" ? "unix:./a.sock" : `${transport}://127.0.0.1:0`;
      const home = folder(t, { "portico.json": manifest({ echo: { plugin: "echo", listen } }) });
      const other = await startServer(t, home);
      const endpoint = other.endpoint("echo", transport);
      const { code, block } = await failing(t, { plugin: "echo", listen: endpoint });
      assert.equal(code, 1);
      assert.match(block, /^error: the address is in use\n\nservice "second": /);
      assert.ok(block.includes(endpoint), block);
      await other.stop();
    });
  }

  test("a start fails with 2 when the path of a Unix socket is too long, and names it", async (t) => {
    const path = `./${"long".repeat(30)}.sock`;
    const { code, block } = await failing(t, { plugin: "echo", listen: `unix:${path}` });
    assert.equal(code, 2);
    assert.match(block, /second/);
    assert.ok(block.includes(path.slice(2)), block);
    assert.match(block, /107|too long/);
  });

  for (const way of ["throws", "rejects"]) {
    test(`a start fails with 1 when a plugin's start ${way}, and names service and plugin`, async (t) => {
      const { code, block } = await failing(t, odd(`${way} at start`));
      assert.equal(code, 1);
      assert.match(
        block,
        /^error: the plugin's start failed\n\nservice "second": the start of plugin "odd" failed: nothing works today, at \S+odd\.ts:\d+:\d+$/,
      );
    });
  }

  test("a start fails with 1 when a plugin's start does not return, and names the time", async (t) => {
    const began = performance.now();
    const { code, block } = await failing(t, odd("hangs at start", { start: "250ms" }));
    assert.equal(code, 1);
    assert.equal(
      block,
      `error: the plugin's start did not return in time

service "second": the start of plugin "odd" did not return within 250 ms`,
    );
    assert.ok(performance.now() - began >= 250);
  });
});

describe("a start without permission", () => {
  const root = process.getuid?.() === 0;
  const skip = root && (lackingPrograms("setpriv") || lackingOtherUsers());
  const through = root ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];

  /** The lowest port that everybody may bind. */
  const lowest = (): number => {
    const file = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    return existsSync(file) ? Number(readFileSync(file, "utf8")) : 1024;
  };
  /** A folder that everybody may read, and in it one that nobody may write but root. */
  const readable = (t: TestContext, service: object): string => {
    const whole = JSON.parse(manifest({ echo: { plugin: "echo", listen: TCP, ...service } }));
    // The folder of its control socket would stay, as one that belongs to that user.
    const home = folder(t, { "portico.json": JSON.stringify({ ...whole, control: false }) });
    mkdirSync(join(home, "run"));
    chmodSync(home, 0o755);
    chmodSync(join(home, "run"), 0o555);
    return home;
  };

  for (const transport of ["tcp", "udp"]) {
    test(`a start fails with 1 on a port below 1024 (${transport})`, {
      skip: skip || (lowest() <= 7 && "everybody may bind every port here"),
    }, async (t) => {
      const endpoint = `${transport}://127.0.0.1:7`;
      const { code, block } = await failToStart(
        t,
        readable(t, { listen: [TCP, endpoint] }),
        through,
      );
      assert.equal(code, 1);
      assert.match(block, /^error: permission denied\n\nservice "echo": /);
      assert.ok(block.includes(endpoint), block);
    });
  }

  for (const transport of ["unix", "unixgram"] as const) {
    test(`a start fails with 1 on a folder that cannot be written (${transport})`, {
      skip: skip || lackingTransport(transport),
    }, async (t) => {
      const home = readable(t, { listen: `${transport}:./run/a.sock` });
      const { code, block } = await failToStart(t, home, through);
      assert.equal(code, 1);
      assert.match(block, /^error: permission denied\n\nservice "echo": /);
      assert.ok(block.includes("run/a.sock"), block);
    });
  }

  test("a start fails with 1 on a log file that cannot be written", { skip }, async (t) => {
    const home = readable(t, { log: { type: "file", path: "run/a.log" } });
    const { code, block } = await failToStart(t, home, through);
    assert.equal(code, 1);
    assert.match(block, /^error: permission denied\n\n/);
    assert.ok(block.includes("run/a.log"), block);
  });
});
