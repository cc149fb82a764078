/** `portico run`: how it starts, what it does at each signal, how it ends. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { portico, porticoWith } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";

const ECHO = { plugin: "echo", listen: "tcp://127.0.0.1:0" };

function manifest(service: object = {}): string {
  return JSON.stringify({ services: { echo: { ...ECHO, ...service } } });
}

/** A server that is started by its path alone, with its control socket where its other files are. */
async function serve(
  t: TestContext,
  home: string,
  ...words: readonly string[]
): Promise<ServerProcess> {
  const server = await startServer(t, home, {
    command: [],
    env: { XDG_RUNTIME_DIR: home },
    words,
  });
  assert.equal((await server.record("start"))["pid"], server.pid);
  return server;
}

describe("portico run", () => {
  test("portico run ends with 0 on SIGTERM, and says why it stops", async (t) => {
    const server = await serve(t, folder(t, { "portico.json": manifest() }));
    server.signal("SIGTERM");
    assert.equal((await server.record("stop"))["reason"], "SIGTERM");
    assert.equal(await server.exited(), 0);
  });
  test("portico run opens log files anew on SIGHUP, and writes a status record on SIGUSR2", async (t) => {
    const home = folder(t, {
      "portico.json": manifest({ log: ["console", { type: "file", path: "a.log" }] }),
    });
    const server = await serve(t, home);
    renameSync(join(home, "a.log"), join(home, "a.log.1"));
    server.signal("SIGHUP");
    await server.record("reload");
    assert.equal((await server.status("echo"))["service"], "echo");
    server.signal("SIGINT");
    await server.exited();
    const events = (file: string): unknown[] =>
      readFileSync(join(home, file), "utf8").trimEnd().split("\n").map((line) =>
        JSON.parse(line).event
      );
    assert.deepEqual(events("a.log.1"), ["start", "listening", "ready"]);
    assert.deepEqual(events("a.log"), ["reload", "status", "stop"]);
  });
  test("portico run closes at once on a second signal", async (t) => {
    const home = folder(t, { "portico.json": manifest({ limits: { drain: "none" } }) });
    const server = await serve(t, home);
    const [endpoint] = (await server.status("echo"))["endpoints"] as string[];
    const peer = connect(Number(endpoint!.split(":").at(-1)), "127.0.0.1");
    // The server may reset it.
    peer.on("error", () => {});
    peer.write("x");
    await once(peer, "data");
    server.signal("SIGTERM");
    await server.record("drain");
    server.signal("SIGTERM");
    assert.equal((await server.record("stop"))["reason"], "SIGTERM");
    assert.equal(await server.exited(), 0);
    peer.destroy();
  });
  test("portico run goes on when a plugin throws outside of its hooks", async (t) => {
    const home = folder(t, {
      "portico.json": manifest({ plugin: "./p.ts" }),
      "p.ts": `export default { name: "p", transports: ["stream"], start() {
  setTimeout(() => { Promise.reject(new Error("nobody awaits")); }, 20);
  setTimeout(() => { throw new Error("nobody catches"); }, 30);
  return { data() {} };
} };`,
    });
    const server = await serve(t, home);
    for (const [i, message] of ["nobody awaits", "nobody catches"].entries()) {
      const record = await server.record("error", i + 1);
      assert.deepEqual([record["message"], record["side"]], [message, "plugin"]);
    }
    server.signal("SIGTERM");
    assert.equal(await server.exited(), 0);
  });
  test("portico ctl finds a server by its manifest, changes it as it runs, and ends it", async (t) => {
    const home = folder(t, { "portico.json": manifest() });
    const server = await serve(t, home);
    const ctl = async (...words: string[]): Promise<string> => {
      const { code, out, err } = await porticoWith(
        { XDG_RUNTIME_DIR: home },
        "ctl",
        ...words,
        "--manifest",
        home,
      );
      assert.deepEqual([code, err], [0, ""], words.join(" "));
      return out;
    };
    const { manifest: file, services: [echo] } = JSON.parse(await ctl("status", "--json"));
    assert.equal(file, join(home, "portico.json"));
    assert.deepEqual([echo.service, echo.state], ["echo", "running"]);
    assert.equal(await ctl("reload"), "reload: nothing changed; 1 unchanged\n");
    writeFileSync(file, manifest({ limits: { sessions: 5 } }));
    assert.equal(await ctl("reload"), "reload: changed echo; 0 unchanged\n");

    const second = await porticoWith({ XDG_RUNTIME_DIR: home }, "run", home, "--json");
    assert.equal(second.code, 1);
    assert.match(JSON.parse(second.err).error.message, /another server with this manifest/);
    assert.match(await ctl("status"), /\necho +running +async/);

    assert.equal(await ctl("stop"), "stop: echo\n");
    await server.record("stop");
    assert.equal(await server.exited(), 0);
    assert.equal(readdirSync(join(home, "portico")).length, 0, "the control socket is gone");
  });
  test("portico run --watch reloads when a plugin has changed", async (t) => {
    const plugin = (answer: string): string =>
      `export default { name: "p", transports: ["stream"], start: () => ({
        data(session) { session.write("${answer}"); session.end(); },
      }) };`;
    const home = folder(t, {
      "portico.json": manifest({ plugin: "./p.ts" }),
      "p.ts": plugin("old"),
    });
    const server = await serve(t, home, "--watch");
    writeFileSync(join(home, "p.ts"), plugin("new"));
    await server.record("reload");
    const [endpoint] = (await server.status("echo"))["endpoints"] as string[];
    const peer = connect(Number(endpoint!.split(":").at(-1)), "127.0.0.1");
    peer.write("x");
    const [answer] = await once(peer, "data");
    assert.equal(String(answer), "new");
    peer.destroy();
    server.signal("SIGTERM");
    await server.exited();
  });
  test("portico run ends with 1 when an address is in use, naming the service", async (t) => {
    const server = await serve(t, folder(t, { "portico.json": manifest() }));
    const [endpoint] = (await server.status("echo"))["endpoints"] as string[];
    const home = folder(t, { "portico.json": manifest({ listen: endpoint }) });
    const { code, err } = await portico("run", home, "--json");
    assert.equal(code, 1);
    assert.equal(JSON.parse(err).error.code, "EADDRINUSE");
    assert.match(JSON.parse(err).error.message, /"echo"/);
    server.signal("SIGTERM");
    await server.exited();
  });
});
