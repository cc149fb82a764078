/** `portico check` asks this machine: addresses, rights, programs, users; with places in the manifest. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { lackingTransport } from "../support/adapter.ts";
import { portico, runToEnd } from "../support/command.ts";
import { command, MAIN } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { ManagedServer } from "../support/managed-server.ts";
import { lackingPrograms } from "../support/packages.ts";
import { Program } from "../support/program.ts";
import { lackingOtherUsers } from "../support/permissions.ts";
import { manifest, startServer } from "../support/server-process.ts";

/** /proc, as Linux has it. */
const LACKING_PROC: string | false = existsSync("/proc/net/tcp") ? false : "no /proc/net";

interface Found {
  readonly what: string;
  readonly lacks: readonly { readonly reason: string; readonly remedy?: string }[];
  readonly note?: string;
  readonly path?: string;
  readonly line?: number;
  readonly column?: number;
}

/** What `check --json` finds for the first service, by what it is. */
async function findings(home: string): Promise<{ code: number | null; found: Map<string, Found> }> {
  const { code, out, err } = await portico("check", home, "--json");
  assert.equal(err, "");
  const { services } = JSON.parse(out) as { services: { findings: Found[] }[] };
  return { code, found: new Map(services[0]!.findings.map((one) => [one.what, one])) };
}

describe("check", () => {
  for (
    const listen of ["tcp://127.0.0.1:0", "tcp://[::1]:0", "udp://127.0.0.1:0", "unixgram:./s"]
  ) {
    const transport = listen.split(":")[0] as "tcp";
    test(`says who has ${listen}, and where the manifest asks for it`, {
      skip: LACKING_PROC || lackingTransport(transport),
    }, async (t) => {
      const home = folder(t, { "portico.json": manifest({ s: { plugin: "echo", listen } }) });
      const server = await startServer(t, home);
      const endpoint = server.endpoint("s", transport);
      const { pid } = await server.record({ event: "start" });
      const other = folder(t, {
        "portico.json":
          `{ "services": { "s": { "plugin": "echo", "listen": [\n"${endpoint}" ] } } }`,
      });
      const { code, found } = await findings(other);
      assert.equal(code, 2);
      const { lacks, path, line, column } = found.get(endpoint)!;
      assert.match(lacks[0]!.reason, new RegExp(`the address is in use: process ${pid} \\(.+\\)`));
      assert.deepEqual([path, line, column], ["services.s.listen[0]", 2, 1]);
      const started = await portico("run", other);
      assert.equal(started.code, 1);
      assert.match(
        started.err,
        new RegExp(
          `process ${pid} \\(.+\\) listens there \\(services\\.s\\.listen\\[0\\]\\)\nat \\S+portico\\.json:2:1\n$`,
        ),
      );
      await server.stop();
    });
  }

  for (const [listen, type] of [["unix:./s", "STREAM"], ["unixgram:./s", "DGRAM"]] as const) {
    test(`a relative name of somebody else's is where that one is: ${listen}`, {
      skip: LACKING_PROC || lackingPrograms("python3") ||
        lackingTransport(listen.split(":")[0] as "unix"),
    }, async (t) => {
      const service = manifest({ s: { plugin: "echo", listen } });
      const [theirs, ours] = [folder(t, { "portico.json": service }), folder(t, {})];
      writeFileSync(join(ours, "portico.json"), service);
      const binds = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_${type})
s.bind("./s")
${type === "STREAM" ? "s.listen()" : ""}
print("bound", flush=True)
sys.stdin.read()`;
      const holder = new Program(t, theirs, "python3", "-c", binds);
      await holder.says("bound");
      const check = async (home: string, words: string): Promise<Found> => {
        const [program, args] = command(MAIN, "check", words, "--json");
        const out = await new Program(t, home, program, ...args).ended();
        const { services } = JSON.parse(out) as { services: { findings: Found[] }[] };
        return services[0]!.findings.find(({ what }) => what === listen)!;
      };
      assert.deepEqual((await check(ours, ".")).lacks, []);
      for (const [cwd, path] of [[theirs, "."], [ours, theirs]] as const) {
        assert.match((await check(cwd, path)).lacks[0]!.reason, /in use: process \d+ \(python3/);
      }
    });
  }

  test("says that a server of this manifest has it, which is no error", {
    skip: LACKING_PROC,
  }, async (t) => {
    const managed = await ManagedServer.start(t, {
      s: { plugin: "echo", listen: "tcp://127.0.0.1:0" },
    });
    const endpoint = await managed.endpoint("s", "tcp");
    managed.write({ s: { plugin: "echo", listen: endpoint } });
    const { code, found } = await findings(managed.home);
    const { note, lacks } = found.get(endpoint)!;
    assert.deepEqual([code, lacks], [0, []]);
    const { pid } = await managed.status();
    assert.equal(note, `process ${pid}, which runs this manifest, has it`);
    await managed.process.stop();
  });

  test("an address of another machine, a user and a program that are not there have their places", async (t) => {
    const home = folder(t, {
      "portico.json": `{
  "user": "nobody-of-this-name",
  "services": {
    "s": {
      "plugin": "exec",
      "listen": ["tcp://192.0.2.77:7001"],
      "log": [{ "type": "file", "path": "./none/x.log" }],
      "options": { "command": ["no-such-program"] }
    }
  }
}`,
    });
    const { code, out } = await portico("check", home);
    assert.equal(code, 2);
    for (
      const line of [
        /^no +identity +user nobody-of-this-name +there is no user .*\(portico\.json:2:11 user\)$/m,
        /^no +s .*192\.0\.2\.77:7001 +this machine does not have the address; it has .*\(portico\.json:6:18 services\.s\.listen\[0\]\)$/m,
        /^no +s .*sink file .*\(portico\.json:7:15 services\.s\.log\[0\]\)$/m,
        /^no +s .*options +exec: no-such-program: no such program in PATH .*\(portico\.json:8:18 services\.s\.options\)$/m,
      ]
    ) assert.match(out, line);
  });

  test("tells of deadlines that are off where strangers come, and of no others", async (t) => {
    const off = { idle: "none", progress: "none", firstByte: "none", wait: "none" };
    const listen = ["tcp://0.0.0.0:0", { endpoint: "tcp://*:0", keepAlive: 0 }];
    const check = async (service: object): Promise<string[]> => {
      const home = folder(t, {
        "portico.json": JSON.stringify({ services: { s: { plugin: "echo", ...service } } }),
      });
      const { code, found } = await findings(home);
      assert.equal(code, 0, "that does not keep it from being run");
      return [...found.values()].filter(({ note }) => note?.startsWith("off, on the public"))
        .map(({ what }) => what);
    };
    assert.deepEqual(await check({ listen, limits: off }), [
      "limits.firstByte",
      "limits.idle",
      "limits.progress",
      "limits.wait",
      "keepAlive",
    ]);
    assert.deepEqual(await check({ listen: "tcp://*:0" }), []);
    const here = ["tcp://127.0.0.1:0", "tcp://[::1]:0", "unix:./s"];
    assert.deepEqual(await check({ listen: here, limits: off }), []);
    assert.deepEqual(await check({ listen: "udp://*:0", limits: off }), []);
  });

  test("a port below 1024 needs a permission", {
    skip: LACKING_PROC || lackingOtherUsers() || lackingPrograms("setpriv"),
  }, async (t) => {
    const home = folder(t, {
      "portico.json":
        '{ "services": { "s": { "plugin": "echo", "listen": "tcp://127.0.0.1:7" } } }',
    });
    const [program, words] = command(MAIN, "check", home);
    const { out } = await runToEnd(["setpriv", [
      "--bounding-set=-net_bind_service",
      "--inh-caps=-net_bind_service",
      program,
      ...words,
    ]], {});
    assert.match(
      out,
      /^no .*tcp:\/\/127\.0\.0\.1:7 +this user may not listen on ports below \d+; .*CAP_NET_BIND_SERVICE.*\(portico\.json:1:\d+ services\.s\.listen\)$/m,
    );
  });

  test("what may not be asked is said", {
    skip: process.versions["deno"] === undefined ? "this runtime asks for no permissions" : false,
  }, async (t) => {
    const home = folder(t, {
      "portico.json": manifest({ s: { plugin: "echo", listen: "tcp://127.0.0.1:7007" } }),
    });
    const flags = ["--allow-read", "--allow-env", "--allow-net", "--no-prompt"];
    const words = ["run", ...flags, "--no-check", "--unstable-net", MAIN, "check", home];
    const { out } = await runToEnd([process.execPath, words]);
    assert.match(out, /^ok .*tcp:\/\/127\.0\.0\.1:7007 +not asked: .*allow-/m);
  });
});

test("a package that does not say what it was written for is taken, and that is said", async (t) => {
  const plugin =
    'export default { name: "p", transports: ["stream"], start: () => ({ data() {} }) };';
  const home = folder(t, {
    "portico.json": manifest({ s: { plugin: "pkg", listen: "unix:./s" } }),
    "node_modules/pkg/package.json": '{ "name": "pkg", "type": "module", "exports": "./p.js" }',
    "node_modules/pkg/p.js": plugin,
  });
  const { code, found } = await findings(home);
  assert.equal(code, 0);
  assert.match(
    found.get("package pkg")!.note!,
    /lacks the keyword .* and "portico": \{ "api": 1 \}/,
  );
});

test("check finds a port that was freed free", { skip: LACKING_PROC }, async (t) => {
  const home = folder(t, {
    "portico.json": manifest({ s: { plugin: "echo", listen: "tcp://*:0" } }),
  });
  const server = await startServer(t, home);
  const port = /:(\d+)$/.exec(server.endpoint("s", "tcp"))![1];
  const other = folder(t, {});
  const text = (host: string): string =>
    JSON.stringify({ services: { s: { plugin: "echo", listen: `tcp://${host}:${port}` } } });
  // Whoever listens everywhere has each address.
  writeFileSync(join(other, "portico.json"), text("127.0.0.1"));
  assert.equal((await findings(other)).code, 2);
  await server.stop();
  assert.equal((await findings(other)).code, 0);
});
