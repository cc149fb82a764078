import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { lackingFeature } from "./support/adapter.ts";
import { folder } from "./support/folder.ts";
import { excessIn, LIST } from "./support/given.ts";
import { startManifest } from "./support/in-process.ts";
import { dial, openUdp } from "./support/peers.ts";
import { runs, sendSignal } from "./support/proc.ts";
import { lackingPrograms } from "./support/packages.ts";
import { lackingStrategy } from "./support/strategies.ts";
import { until } from "./support/until.ts";

const skip = lackingFeature("descriptors") || lackingPrograms("sh", "cat", "env", "sleep");

/** A service that runs a command for whoever comes on TCP. */
const exec = (command: readonly string[], more: object = {}, service: object = {}) => ({
  exec: {
    plugin: "exec",
    listen: "tcp://127.0.0.1:0",
    options: { command, ...more },
    ...service,
  },
});

test(
  "exec: the socket is the program's stdin and stdout, and 1 MiB goes through",
  { skip },
  async (t) => {
    const server = await startManifest(t, exec(["cat"]));
    const peer = await dial(t, server.endpoint("exec"));
    const bytes = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 31 + (i >> 8)) & 255);
    peer.socket.write(bytes);
    peer.socket.end();
    await peer.when("the end", () => peer.ended);
    assert.deepEqual(peer.bytes(), bytes);
    const close = await server.record({ event: "close" });
    assert.equal(close["exit"], 0);
    assert.equal(close["reason"], "done");
    assert.deepEqual([close["bytesIn"], close["bytesOut"]], [1 << 20, 1 << 20]);
    assert.equal(server.live("exec"), 0);
  },
);

test("exec: a reset is no byte, nor is an end that comes before it", { skip }, async (t) => {
  const answers = "cat; while echo .; do sleep 0.02; done";
  const server = await startManifest(t, {
    reset: exec(["cat"]).exec,
    ended: exec(["sh", "-c", answers]).exec,
  });
  for (const service of ["reset", "ended"]) {
    const peer = await dial(t, server.endpoint(service));
    peer.socket.write("hello");
    await peer.when("the echo", () => peer.text.startsWith("hello"));
    if (service === "ended") {
      peer.socket.end();
      await peer.when("what follows the end", () => peer.text.includes("."));
    }
    peer.socket.resetAndDestroy();
    const close = await server.record({ event: "close", service });
    assert.equal(close["bytesIn"], 5, service);
  }
});

test("exec: the record says how a program has ended", { skip }, async (t) => {
  const server = await startManifest(t, {
    ...exec(["sh", "-c", "exit 3"]),
    killed: {
      plugin: "exec",
      listen: "tcp://127.0.0.1:0",
      options: { command: ["sh", "-c", "kill -9 $$"] },
    },
  });
  const first = await dial(t, server.endpoint("exec"));
  await first.when("the end", () => first.ended);
  assert.equal((await server.record({ event: "close", service: "exec" }))["exit"], 3);
  const second = await dial(t, server.endpoint("killed"));
  await second.when("the end", () => second.ended);
  const close = await server.record({ event: "close", service: "killed" });
  assert.equal(close["signal"], "SIGKILL");
  assert.equal(close["exit"], undefined);
});

test("exec: lines of stderr are warnings of the session, in bounds", { skip }, async (t) => {
  const script =
    `echo first >&2; head -c 10000 /dev/zero | tr '\\0' x >&2; echo >&2; printf last >&2`;
  const server = await startManifest(t, exec(["sh", "-c", script]));
  const peer = await dial(t, server.endpoint("exec"));
  await peer.when("the end", () => peer.ended);
  const close = await server.record({ event: "close" });
  const lines = server.all({ event: "log", level: "warn" });
  assert.deepEqual(lines.map(({ text }) => text), ["first", "x".repeat(2048), "last"]);
  assert.ok(lines.every((line) => line.session === close.session && line["program"] === "sh"));
  assert.equal(peer.text, "");
});

test("exec: stderr may be the peer's, or nobody's", { skip }, async (t) => {
  const command = ["sh", "-c", "echo out; echo err >&2"];
  const server = await startManifest(t, {
    peer: { plugin: "exec", listen: "tcp://127.0.0.1:0", options: { command, stderr: "peer" } },
    none: { plugin: "exec", listen: "tcp://127.0.0.1:0", options: { command, stderr: "discard" } },
  });
  for (const [service, text] of [["peer", "out\nerr\n"], ["none", "out\n"]] as const) {
    const peer = await dial(t, server.endpoint(service));
    await peer.when("the end", () => peer.ended);
    assert.equal(peer.text, text);
    await server.record({ event: "close", service });
  }
  assert.deepEqual(server.all({ event: "log" }), []);
});

test(
  "exec: the environment says who has called, and is no other than that",
  { skip },
  async (t) => {
    process.env["EXEC_SECRET"] = "hidden";
    process.env["EXEC_SHOWN"] = "shown";
    t.after(() => {
      delete process.env["EXEC_SECRET"];
      delete process.env["EXEC_SHOWN"];
    });
    const options = { command: ["env"], env: { OWN: "a b" }, passEnv: ["PATH", "EXEC_SHOWN"] };
    const server = await startManifest(t, {
      exec: { plugin: "exec", listen: ["tcp://127.0.0.1:0", "unix:./a.sock"], options },
    });
    const variables = async (endpoint: string): Promise<Record<string, string>> => {
      const peer = await dial(t, endpoint);
      await peer.when("the end", () => peer.ended);
      const entries = peer.text.trim().split("\n").map((line) => line.split(/=(.*)/s).slice(0, 2));
      return { ...Object.fromEntries(entries), name: peer.name };
    };
    const endpoint = server.endpoint("exec");
    const { PATH, name, ...tcp } = await variables(endpoint);
    assert.equal(PATH, process.env["PATH"]);
    const port = (text: string): string => text.slice(text.lastIndexOf(":") + 1);
    assert.deepEqual(tcp, {
      OWN: "a b",
      EXEC_SHOWN: "shown",
      PROTO: "TCP",
      REMOTE_HOST: "127.0.0.1",
      REMOTE_PORT: port(name!),
      LOCAL_HOST: "127.0.0.1",
      LOCAL_PORT: port(endpoint),
      TCPREMOTEIP: "127.0.0.1",
      TCPREMOTEPORT: port(name!),
      TCPLOCALIP: "127.0.0.1",
      TCPLOCALPORT: port(endpoint),
    });
    const unix = await variables(server.endpoint("exec", "unix"));
    assert.equal(unix["PROTO"], "UNIX");
    assert.equal(`unix:${unix["UNIXLOCALPATH"]}`, server.endpoint("exec", "unix"));
    assert.equal(unix["REMOTE_HOST"], undefined);
  },
);

test("exec: a program and its folder are looked up at the start", { skip }, async (t) => {
  const wrong = async (options: object, code: string, pattern: RegExp): Promise<void> => {
    const service = { exec: { plugin: "exec", listen: "tcp://127.0.0.1:0", options } };
    await assert.rejects(startManifest(t, service), (error: Error & { code?: string }) => {
      assert.equal(error.code, code);
      assert.match(error.message, pattern);
      return true;
    });
  };
  await wrong({ command: ["/no/such"] }, "ENOENT", /"exec": exec: \/no\/such: no such file$/);
  await wrong(
    { command: ["no-such-program"] },
    "ENOENT",
    /no-such-program: no such program in PATH \(/,
  );
  await wrong({ command: ["/etc/passwd"] }, "EACCES", /exec: \/etc\/passwd: not executable$/);
  await wrong({ command: ["/etc"] }, "EACCES", /exec: \/etc: a folder$/);
  await wrong({ command: ["cat"], cwd: "/no/such" }, "ENOENT", /cwd \/no\/such: no such folder$/);
});

test("exec: options that are wrong are errors of the manifest", async (t) => {
  for (
    const [options, pattern] of [
      [{}, /command/],
      [{ command: [] }, /a program and its arguments/],
      [{ command: "cat" }, /a program and its arguments/],
      [{ command: ["cat"], stderr: "file" }, /"log", "discard" or "peer"/],
      [{ command: ["cat"], killAfter: "5" }, /a duration above 0/],
      [{ command: ["cat"], maxOutput: 70000 }, /from 1 to 65507/],
      [{ command: ["cat"], shell: true }, /shell/],
      [{ command: ["cat"], env: { "A=B": "c" } }, /without =/],
      [{ command: ["cat"], passEnv: "PATH" }, /names of variables/],
    ] as const
  ) {
    await assert.rejects(
      startManifest(t, { exec: { plugin: "exec", listen: "tcp://127.0.0.1:0", options } }),
      (error: Error) => {
        const text = error.message + JSON.stringify((error as { problems?: unknown }).problems);
        assert.match(text.replaceAll("\\", ""), pattern);
        return true;
      },
    );
  }
});

test("exec: relative programs and the program itself run in cwd", { skip }, async (t) => {
  const server = await startManifest(t, exec(["pwd"], { cwd: "/usr" }));
  const peer = await dial(t, server.endpoint("exec"));
  await peer.when("the end", () => peer.ended);
  assert.equal(peer.text, "/usr\n");
  const other = await startManifest(t, exec(["./env"], { cwd: "/usr/bin" }));
  const second = await dial(t, other.endpoint("exec"));
  await second.when("the end", () => second.ended);
  assert.match(second.text, /^PROTO=TCP$/m);
});

test("exec: 50 clients at once, each with a program of its own", { skip }, async (t) => {
  const server = await startManifest(t, exec(["cat"]));
  const peers = await Promise.all(
    Array.from({ length: 50 }, () => dial(t, server.endpoint("exec"))),
  );
  for (const [index, peer] of peers.entries()) peer.socket.end(`I am ${index}`);
  for (const [index, peer] of peers.entries()) {
    await peer.when("the end", () => peer.ended);
    assert.equal(peer.text, `I am ${index}`);
  }
  const closed = await server.count(50, { event: "close" });
  assert.ok(closed.every((record) => record["exit"] === 0));
  assert.equal(server.live("exec"), 0);
});

test("exec: whoever has to wait for a turn is served in order", { skip }, async (t) => {
  const server = await startManifest(t, exec(["cat"], {}, { concurrency: { strategy: "serial" } }));
  const first = await dial(t, server.endpoint("exec"));
  await server.record({ event: "open" });
  const second = await dial(t, server.endpoint("exec"));
  second.socket.end("second");
  await until("the second", () => server.live("exec") === 2);
  assert.equal(server.all({ event: "open" }).length, 1);
  first.socket.end("first");
  await second.when("the end", () => second.ended);
  assert.equal(first.text, "first");
  assert.equal(second.text, "second");
});

/** A program that writes its pid into a file, starts another one, and waits; what it does with SIGTERM is `trap`. */
const waiting = (file: string, trap: string): readonly string[] => [
  "sh",
  "-c",
  `${trap} sleep 60 & echo $! $$ > ${file}.new; mv ${file}.new ${file}; while :; do wait; done`,
];

async function pids(file: string): Promise<number[]> {
  await until("the pids", () => existsSync(file));
  return readFileSync(file, "utf8").trim().split(" ").map(Number);
}

test(
  "exec: at the end of the drain programs get SIGTERM, and what they have started too",
  { skip },
  async (t) => {
    const file = `${folder(t, {})}/pids`;
    const server = await startManifest(
      t,
      exec(waiting(file, ""), {}, { limits: { drain: "50ms" } }),
    );
    const peer = await dial(t, server.endpoint("exec"));
    const both = await pids(file);
    assert.ok(both.every(runs));
    await server.running.stop();
    await until("the end of both", () => !both.some(runs));
    const close = await server.record({ event: "close" });
    assert.equal(close["signal"], "SIGTERM");
    assert.equal(close["reason"], "drain");
    await peer.when("the end", () => peer.ended || peer.gone);
  },
);

test("exec: who ignores SIGTERM gets SIGKILL after killAfter", { skip }, async (t) => {
  const file = `${folder(t, {})}/pids`;
  const command = waiting(file, "trap '' TERM;");
  const server = await startManifest(
    t,
    exec(command, { killAfter: "1500ms" }, { limits: { drain: "10ms" } }),
  );
  await dial(t, server.endpoint("exec"));
  const both = await pids(file);
  const begun = performance.now();
  await server.running.stop();
  assert.ok(performance.now() - begun >= 1400, "it had its time, though hooks have less");
  await until("the end of both", () => !both.some(runs));
  const close = await server.record({ event: "close" });
  assert.equal(close["signal"], "SIGKILL");
});

test("exec: lifetime and timeout end a program", { skip }, async (t) => {
  const command = ["sleep", "60"];
  const listen = "tcp://127.0.0.1:0";
  const server = await startManifest(t, {
    lifetime: { plugin: "exec", listen, options: { command }, limits: { lifetime: "50ms" } },
    timeout: { plugin: "exec", listen, options: { command, timeout: "50ms" } },
  });
  await dial(t, server.endpoint("lifetime"));
  const first = await server.record({ event: "close", service: "lifetime" });
  assert.equal(first["reason"], "lifetime");
  assert.equal(first["signal"], "SIGTERM");
  await dial(t, server.endpoint("timeout"));
  const second = await server.record({ event: "close", service: "timeout" });
  assert.equal(second["signal"], "SIGTERM");
  assert.match(String((await server.record({ event: "log", level: "warn" }))["text"]), /50 ms/);
});

test("exec: a datagram is the input of a program, what it prints the answer", async (t) => {
  const udp = (command: readonly string[], more: object = {}) => ({
    plugin: "exec",
    listen: "udp://127.0.0.1:0",
    options: { command, ...more },
  });
  const server = await startManifest(t, {
    cat: udp(["cat"]),
    env: udp(["env"], { passEnv: [] }),
    long: udp(["sh", "-c", "head -c 1000 /dev/zero"], { maxOutput: 999 }),
    fails: udp(["sh", "-c", "echo no; echo why >&2; exit 4"]),
    never: udp(["sleep", "60"], { killAfter: "100ms" }),
  });
  const someone = await openUdp(t);
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  const ask = async (service: string, bytes: string): Promise<string> =>
    decode(await someone.ask(bytes, server.endpoint(service, "udp")));
  assert.equal(await ask("cat", "hello"), "hello");
  assert.match(await ask("env", ""), /^PROTO=UDP$[^]*^UDPREMOTEIP=127\.0\.0\.1$/m);
  someone.send("x", server.endpoint("long", "udp"));
  await server.record({ event: "log", service: "long", text: /more than 999 bytes/ });
  assert.equal(await ask("fails", "x"), "no\n");
  await server.record({ event: "log", service: "fails", text: "why" });
  assert.equal(
    (await server.record({ event: "log", service: "fails", text: /failed/ }))["exit"],
    4,
  );
  someone.send("x", server.endpoint("never", "udp"));
  await until("the last program", () => server.live("never") === 1);
  await server.running.kill();
  assert.equal(someone.received.length, 3);
});

for (const strategy of ["async", "threads", "processes", "spawn"] as const) {
  const lacks = skip || lackingStrategy(strategy);
  const concurrency = {
    strategy,
    ...(strategy === "threads" || strategy === "processes" ? { workers: 1 } : {}),
  };

  test(
    `exec: a program inherits its standard streams and nothing else: ${strategy}`,
    { skip: lacks },
    async (t) => {
      const server = await startManifest(t, exec(LIST, {}, { concurrency }));
      const peers = await Promise.all(
        Array.from({ length: 8 }, () => dial(t, server.endpoint("exec"))),
      );
      for (const peer of peers) {
        await peer.when("the end", () => peer.ended);
        assert.deepEqual(excessIn(peer.text), []);
      }
    },
  );

  test(
    `exec: a job in the background holds the connection if it has it, and else does not: ${strategy}`,
    { skip: lacks },
    async (t) => {
      const job = (redirections: string): readonly string[] => [
        "sh",
        "-c",
        `sleep 300 ${redirections} & echo $!`,
      ];
      const listen = "tcp://127.0.0.1:0";
      const server = await startManifest(t, {
        without: {
          plugin: "exec",
          listen,
          options: { command: job("<&- >&- 2>&-") },
          concurrency,
        },
        with: { plugin: "exec", listen, options: { command: job("2>&-") }, concurrency },
      });
      const pids: number[] = [];
      t.after(() => pids.filter(runs).forEach((pid) => sendSignal(pid)));
      const served = async (service: string): Promise<Awaited<ReturnType<typeof dial>>> => {
        const peer = await dial(t, server.endpoint(service));
        await peer.when("the pid", () => peer.text.endsWith("\n"));
        pids.push(Number(peer.text));
        await server.record({ event: "close", service });
        return peer;
      };
      const first = await served("without");
      await first.when("the end", () => first.ended);
      assert.ok(runs(pids[0]!));
      const second = await served("with");
      assert.ok(!second.ended);
      sendSignal(pids[1]!);
      await second.when("the end", () => second.ended);
    },
  );
}

test(
  "exec: a program that the kernel does not take is an error of the session",
  { skip },
  async (t) => {
    const home = folder(t, { "no-such": "#!/no/such\n" });
    chmodSync(`${home}/no-such`, 0o755);
    const server = await startManifest(t, exec([`${home}/no-such`]));
    const peer = await dial(t, server.endpoint("exec"));
    await peer.when("the end", () => peer.ended || peer.gone);
    const error = await server.record({ event: "error" });
    assert.match(JSON.stringify(error), /no-such cannot be started: /);
    assert.equal((await server.record({ event: "close" }))["reason"], "error");
  },
);
