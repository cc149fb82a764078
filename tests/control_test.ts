import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { once } from "node:events";
import { dirname, join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { after, describe, test, type TestContext } from "node:test";
import { bytes, span } from "../runtime/terminal/status.ts";
import { ask } from "../runtime/control/client.ts";
import type { Control } from "../runtime/control/control.ts";
import type { ServerStatus, ServiceStatus } from "../runtime/services/status.ts";
import { checkFolder, controlPath, defaultPaths } from "../runtime/control/path.ts";
import { Refusal } from "../runtime/control/refusal.ts";
import { LINE_MAX } from "../runtime/control/request.ts";
import { type ControlSocket, openControl } from "../runtime/control/socket.ts";
import { newStatistics } from "../runtime/core/statistics.ts";
import { PorticoError } from "../runtime/core/errors.ts";
import { adapter, lackingFeature } from "./support/adapter.ts";
import { type CommandResult, porticoWith } from "./support/command.ts";
import { folder } from "./support/folder.ts";
import { within } from "./support/until.ts";

/** Sockets that a failed test has left open. */
const open = new Set<ControlSocket>();
after(() => Promise.all([...open].map((socket) => socket.close())));

const ECHO: ServiceStatus = {
  service: "echo",
  state: "running",
  strategy: "processes",
  endpoints: ["tcp://127.0.0.1:7", "unix:/run/echo"],
  workers: [{ pid: 4242, state: "ready", live: 2, served: 9, uptime: 3700 }],
  live: 2,
  held: 1,
  served: 9,
  refused: 3,
  errors: 4,
  restarts: 1,
  bytesIn: 1536,
  bytesOut: 0,
  datagramsIn: 0,
  datagramsOut: 0,
  tally: newStatistics(),
};
const TIME: ServiceStatus = {
  ...ECHO,
  service: "time",
  strategy: "async",
  endpoints: [],
  workers: [],
};
const STATUS: ServerStatus = {
  pid: process.pid,
  version: "1.2.3",
  runtime: "node 1",
  manifest: "/m/portico.json",
  uptime: 90_061,
  services: [ECHO, TIME],
  sinks: [{ name: "audit", type: "file", dropped: 7 }, { name: "json", type: "json", dropped: 0 }],
};

/** A server that writes down what it is asked. */
function fake(verbs: Partial<Control> = {}): Control & { readonly asked: unknown[] } {
  const asked: unknown[] = [];
  const all = (verb: string) => (service?: string): Promise<readonly string[]> => {
    asked.push([verb, service]);
    return Promise.resolve(service === undefined ? ["echo", "time"] : [service]);
  };
  return {
    asked,
    status: () => STATUS,
    reload: () =>
      Promise.resolve({ added: ["new"], changed: ["echo"], removed: [], unchanged: ["time"] }),
    suspend: all("suspend"),
    resume: all("resume"),
    drain: all("drain"),
    stop: all("stop"),
    upgrade(to) {
      asked.push(["upgrade", to]);
      return Promise.resolve(77);
    },
    ...verbs,
  };
}

async function serve(
  t: Pick<TestContext, "after">,
  control: Control,
  path: string = join(folder(t, {}), "c.ctl"),
): Promise<{ path: string; socket: ControlSocket; close(): Promise<void> }> {
  const socket = await openControl(control, path, adapter);
  open.add(socket);
  return {
    path,
    socket,
    async close() {
      await socket.close();
      open.delete(socket);
    },
  };
}

/** One end of a connection that speaks in lines. */
async function dial(path: string): Promise<{
  socket: Socket;
  say(line: unknown): void;
  /** The next answer; undefined at the end. */
  hear(): Promise<unknown>;
}> {
  const socket = connect(path);
  await within("a connection", once(socket, "connect"));
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  return {
    socket,
    say: (line) => void socket.write(`${typeof line === "string" ? line : JSON.stringify(line)}\n`),
    async hear() {
      const { value, done } = await within("an answer", lines.next());
      return done ? undefined : JSON.parse(value);
    },
  };
}

describe("control socket", () => {
  test("several requests on one connection are answered in order; the file is 0600, and gone at the end", async (t) => {
    const control = fake();
    const { path, socket, close } = await serve(t, control);
    assert.equal(String(socket.address), `unix:${path}`);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const { say, hear, socket: peer } = await dial(path);
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
    ['{"command":"stop","service":"ehco"}', /no service "ehco": echo, time; did you mean "echo"\?/],
  ];
  test("a bad line is answered with what is wrong, and the next one is served", async (t) => {
    const control = fake();
    const { path, close } = await serve(t, control);
    const { say, hear, socket } = await dial(path);
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
    const { path, close } = await serve(t, fake());
    const { say, hear, socket } = await dial(path);
    socket.on("error", () => {});
    say("x".repeat(LINE_MAX + 1));
    assert.equal((await hear() as { code: string }).code, "FRAME_TOO_LONG");
    assert.equal(await hear(), undefined);
    socket.destroy();
    await close();
  });

  test("what a verb throws is its answer", async (t) => {
    const { path, close } = await serve(
      t,
      fake({
        reload: () => Promise.reject(new PorticoError("MANIFEST_INVALID", "portico.json:1:2 is")),
        drain: () => Promise.reject(new RangeError("a bug")),
        status: () => {
          throw new PorticoError("EMFILE");
        },
      }),
    );
    const { say, hear, socket } = await dial(path);
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
    const { path, close } = await serve(
      t,
      fake({
        drain() {
          draining.resolve();
          return drained.promise;
        },
      }),
    );
    const idle = await dial(path);
    const busy = await dial(path);
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
    const { path, close } = await serve(
      t,
      fake({
        drain() {
          draining.resolve();
          return new Promise(() => {});
        },
      }),
    );
    const { say, hear, socket } = await dial(path);
    socket.on("error", () => {});
    say({ command: "drain" });
    await within("the request", draining.promise);
    await within("the close", close());
    assert.equal(await hear(), undefined);
    socket.destroy();
  });

  test("a second server is refused by name, and the first is not disturbed", async (t) => {
    const first = await serve(t, fake());
    await assert.rejects(openControl(fake(), first.path, adapter), (error) => {
      assert.ok(error instanceof PorticoError);
      assert.equal(error.code, "EADDRINUSE");
      assert.match(error.message, /another server with this manifest is running \(pid \d+\)/);
      assert.ok(error.message.includes(`pid ${process.pid}`));
      return true;
    });
    const other = fake({ status: () => ({ ...STATUS, manifest: "/n/portico.json" }) });
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
    await assert.rejects(openControl(fake(), path, adapter), {
      code: "EADDRINUSE",
      message: /another process listens there/,
    });
    assert.equal(stranger.listening, true);
    await new Promise((resolve) => stranger.close(resolve));
  });

  test("the abstract namespace is refused", async () => {
    await assert.rejects(openControl(fake(), "@portico", adapter), { code: "NOT_SUPPORTED" });
  });

  test("a successor takes the listener over, and the file stays", {
    skip: lackingFeature("descriptors"),
  }, async (t) => {
    const old = await serve(t, fake({ upgrade: () => Promise.resolve(1) }));
    const { address } = old.socket;
    const fd = await old.socket.duplicate();
    const heir = await openControl(
      fake({ upgrade: () => Promise.resolve(2) }),
      { transport: "unix", fd, address, owned: true },
      adapter,
    );
    open.add(heir);
    await old.socket.close(true);
    open.delete(old.socket);
    assert.equal(existsSync(old.path), true);
    assert.equal(await ask(adapter, old.path, { command: "upgrade" }), 2);
    await heir.close();
    open.delete(heir);
    assert.equal(existsSync(old.path), false);
  });
});

describe("ask", () => {
  test("resolves with an answer of any size, and says no with a Refusal", async (t) => {
    const services = Array.from({ length: 5000 }, (_, i) => ({ ...ECHO, service: `é${i}` }));
    const { path, close } = await serve(
      t,
      fake({
        status: () => ({ ...STATUS, services }),
        reload: () => Promise.reject(new PorticoError("MANIFEST_SYNTAX", "no")),
      }),
    );
    const status = await ask(adapter, path, { command: "status" }) as ServerStatus;
    assert.deepEqual(status.services, services);
    await assert.rejects(ask(adapter, path, { command: "reload" }), (error) => {
      assert.ok(error instanceof Refusal);
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
    const { path, close } = await serve(t, fake());
    let over = false;
    const stopped = ask(adapter, path, { command: "stop" }, { toTheEnd: true });
    void stopped.then(() => over = true);
    await ask(adapter, path, { command: "resume" });
    assert.equal(over, false);
    await close();
    assert.deepEqual(await within("the end", stopped), ["echo", "time"]);
  });
});

/** Whether another user can be played. */
const root = process.getuid?.() === 0;

function withRuntimeFolder<Value>(path: string, body: () => Value): Value {
  const before = process.env["XDG_RUNTIME_DIR"];
  process.env["XDG_RUNTIME_DIR"] = path;
  try {
    return body();
  } finally {
    if (before === undefined) delete process.env["XDG_RUNTIME_DIR"];
    else process.env["XDG_RUNTIME_DIR"] = before;
  }
}

describe("place of the control socket", () => {
  test("is made of the manifest's real path, in a folder for this user alone", (t) => {
    const home = folder(t, { "shop/portico.json": "", "shop/b.json": "", "run/x": "" });
    symlinkSync("shop", join(home, "link"));
    const run = join(home, "run");
    withRuntimeFolder(run, () => {
      const of = (file: string): string =>
        controlPath({ file: join(home, file), control: undefined })!;
      const place = of("shop/portico.json");
      assert.match(place.slice(run.length), /^\/portico\/shop-[0-9a-f]{13}\.ctl$/);
      assert.equal(statSync(dirname(place)).mode & 0o777, 0o700);
      assert.equal(of("link/portico.json"), place);
      assert.match(of("shop/b.json"), /\/b-[0-9a-f]{13}\.ctl$/);
      assert.equal(defaultPaths(join(home, "shop/portico.json"))[0], place);
    });
  });

  test("is what the manifest says, or none", () => {
    assert.equal(controlPath({ file: "/m", control: "/c" }), "/c");
    assert.equal(controlPath({ file: "/m", control: false }), undefined);
  });

  test("fits an address, however long the manifest's name is", (t) => {
    const home = folder(t, { "run/x": "" });
    withRuntimeFolder(join(home, "run"), () => {
      const [place] = defaultPaths(join(home, `${"é ".repeat(100)}.json`));
      assert.ok(Buffer.byteLength(place!) < 108);
    });
    const deep = join(home, "d".repeat(100));
    mkdirSync(deep);
    withRuntimeFolder(deep, () => {
      const places = defaultPaths(join(home, "a.json"));
      assert.ok(places.length > 0 && places.every((place) => Buffer.byteLength(place) < 108));
    });
  });

  test("a folder that others can write to is refused", (t) => {
    const run = join(folder(t, { "run/portico/x": "" }), "run");
    chmodSync(join(run, "portico"), 0o777);
    withRuntimeFolder(
      run,
      () =>
        assert.throws(() => controlPath({ file: "/m", control: undefined }), {
          code: "EACCES",
          message: /others may write to it/,
        }),
    );
    assert.doesNotThrow(() => checkFolder(join(run, "none")));
  });

  test("a link in the place of the folder is refused", (t) => {
    const run = join(folder(t, { "run/other/x": "" }), "run");
    symlinkSync("other", join(run, "portico"));
    withRuntimeFolder(
      run,
      () =>
        assert.throws(() => controlPath({ file: "/m", control: undefined }), {
          code: "EACCES",
          message: /it is no folder/,
        }),
    );
  });

  test("a folder of another user is refused, and a runtime folder of another user passed over", {
    skip: !root && "needs root, to make a folder of another user",
  }, (t) => {
    const run = join(folder(t, { "run/portico/x": "" }), "run");
    chownSync(join(run, "portico"), 4321, 4321);
    assert.throws(() => checkFolder(join(run, "portico")), {
      code: "EACCES",
      message: /it belongs to user 4321/,
    });
    chownSync(run, 4321, 4321);
    withRuntimeFolder(run, () => {
      assert.ok(defaultPaths("/m").every((place) => !place.startsWith(run)));
    });
  });
});

describe("portico ctl", () => {
  const ctl = (...words: string[]): Promise<CommandResult> => porticoWith({}, "ctl", ...words);

  test("status prints a table for people, and JSON for programs", async (t) => {
    const { path, close } = await serve(t, fake());
    const { code, out, err } = await ctl("status", "--socket", path);
    assert.deepEqual([code, err], [0, ""]);
    const lines = out.split("\n").map((line) => line.trimEnd().split(/ {2,}/));
    const counts = ["2", "1", "9", "3", "4", "1", "1.5 KiB", "0"];
    assert.deepEqual(lines.slice(0, 6), [
      [`/m/portico.json: Portico 1.2.3 on node 1, pid ${process.pid}, up 1d 1h`],
      [""],
      [
        "service",
        "state",
        "strategy",
        "live",
        "held",
        "served",
        "refused",
        "errors",
        "restarts",
        "in",
        "out",
        "endpoints",
      ],
      ["echo", "running", "processes", ...counts, "tcp://127.0.0.1:7"],
      ["", "unix:/run/echo"],
      ["time", "running", "async", ...counts, "-"],
    ]);
    assert.deepEqual(lines.slice(6), [
      [""],
      ["worker", "pid", "state", "live", "served", "up"],
      ["echo", "4242", "ready", "2", "9", "1h 1m"],
      [""],
      ["sink", "type", "dropped"],
      ["audit", "file", "7"],
      [""],
    ]);
    const json = await ctl("status", "echo", "--json", "--socket", path);
    assert.deepEqual(JSON.parse(json.out), { ...STATUS, services: [ECHO] });
    await close();
  });

  test("the other verbs print one line of what was done", async (t) => {
    const control = fake();
    const { path, close } = await serve(t, control);
    const said = async (...words: string[]): Promise<string> => {
      const { code, out, err } = await ctl(...words, "--socket", path);
      assert.deepEqual([code, err], [0, ""], words.join(" "));
      return out;
    };
    assert.equal(await said("reload"), "reload: added new; changed echo; 1 unchanged\n");
    assert.equal(await said("suspend", "echo"), "suspend: echo\n");
    assert.equal(await said("resume"), "resume: echo, time\n");
    assert.equal(await said("drain", "time", "--json"), '["time"]\n');
    assert.equal(
      await said("upgrade", "--to", "bun"),
      "upgrade: process 77 has taken over\n",
    );
    assert.deepEqual(control.asked, [
      ["suspend", "echo"],
      ["resume", undefined],
      ["drain", "time"],
      [
        "upgrade",
        "bun",
      ],
    ]);
    await close();
  });

  test("stop returns when the server has closed its socket", async (t) => {
    const asked = Promise.withResolvers<void>();
    const { path, close } = await serve(
      t,
      fake({
        stop() {
          asked.resolve();
          return Promise.resolve(["echo", "time"]);
        },
      }),
    );
    const called = ctl("stop", "--socket", path);
    await within("the request", asked.promise);
    await close();
    assert.deepEqual(await called, { code: 0, out: "stop: echo, time\n", err: "" });
  });

  test("a service that there is not is the caller's mistake, a refusal is not", async (t) => {
    const { path, close } = await serve(
      t,
      fake({ reload: () => Promise.reject(new PorticoError("MANIFEST_INVALID", "it is wrong")) }),
    );
    const unknown = await ctl("drain", "tiem", "--socket", path);
    assert.equal(unknown.code, 2);
    assert.match(unknown.err, /received {2}"tiem"\n.*echo, time\n.*did you mean "time"\?/);
    const refused = await ctl("reload", "--socket", path);
    assert.deepEqual(refused, {
      code: 1,
      out: "",
      err: "error: the server refuses\n\nit is wrong\n",
    });
    await close();
  });

  test("nobody there: it says where it looked, and how to start", async (t) => {
    const path = join(folder(t, {}), "none");
    const { code, err } = await ctl("status", "--socket", path);
    assert.equal(code, 1);
    assert.equal(
      err,
      `error: no server is running there\n\n  received  nobody listens on unix:${path}\n  expected  a server, as started by: portico run\n`,
    );
  });

  test("a server is found by its manifest, also when that has been broken since", async (t) => {
    const services = { echo: { plugin: "echo", listen: "tcp://127.0.0.1:0" } };
    const home = folder(t, {
      "portico.json": JSON.stringify({ services }),
      "own.json": JSON.stringify({ services, control: "unix:./own.ctl" }),
      "off.json": JSON.stringify({ services, control: false }),
      "run/x": "",
    });
    const run = join(home, "run");
    const file = join(home, "portico.json");
    const path = withRuntimeFolder(run, () => controlPath({ file, control: undefined })!);
    const own = await serve(t, fake(), join(home, "own.ctl"));
    const status = (...words: string[]): Promise<CommandResult> =>
      porticoWith({ XDG_RUNTIME_DIR: run, PORTICO_MANIFEST: home }, "ctl", "status", ...words);

    const nobody = await status();
    assert.equal(nobody.code, 1);
    assert.match(nobody.err, new RegExp(`unix:${path}\n.*portico run ${home}\n`));

    const server = await serve(t, fake(), path);
    assert.equal((await status()).code, 0);
    assert.equal((await status("--manifest", join(home, "own.json"))).code, 0);
    const off = await status("--manifest", join(home, "off.json"));
    assert.equal(off.code, 1);
    assert.match(off.err, /off\.json says "control": false/);

    writeFileSync(file, "{");
    assert.equal((await status()).code, 0);
    await server.close();
    assert.equal((await status()).code, 2, "now it is the manifest that is wrong");
    await own.close();
  });
});

describe("units", () => {
  test("bytes and spans of time are short", () => {
    const sizes = [0, 1, 1023, 1024, 10_189, 10_240, 1_048_064, 1_048_576, 5e15];
    assert.deepEqual(sizes.map(bytes), [
      "0",
      "1 B",
      "1023 B",
      "1.0 KiB",
      "10 KiB",
      "10 KiB",
      "1.0 MiB",
      "1.0 MiB",
      "4.4 PiB",
    ]);
    assert.deepEqual([0.9, 59.9, 60, 3661, 90_061].map(span), [
      "0s",
      "59s",
      "1m 0s",
      "1h 1m",
      "1d 1h",
    ]);
  });
});
