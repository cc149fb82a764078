/** What Deno has to be allowed: exactly what `portico check --permissions` prints, and what lacks is named. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commandOn, MAIN, portico, runToEnd } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { askOnce } from "../support/peers.ts";
import { ServerProcess } from "../support/server-process.ts";

const TCP = "tcp://127.0.0.1:0";
const [DENO] = commandOn("deno", MAIN);
const oneWorker = (strategy: string) => ({
  plugin: "echo",
  listen: TCP,
  concurrency: { strategy, workers: 1 },
});

/** Manifests, what each needs, and what of that cannot be done without. */
const CASES: Readonly<Record<string, readonly [object, string, string]>> = {
  "sockets of the network": [
    { control: false, services: { a: { plugin: "echo", listen: [TCP, "udp://127.0.0.1:0"] } } },
    "read env net",
    "read env net",
  ],
  "a control socket": [
    { services: { a: { plugin: "echo", listen: TCP } } },
    "read env net write sys",
    "write sys",
  ],
  "a Unix socket": [
    { control: false, services: { a: { plugin: "echo", listen: [TCP, "unix:./a.sock"] } } },
    "read env net write",
    "net write",
  ],
  "a file of bans": [
    {
      control: false,
      bans: { file: "./b.json" },
      services: { a: { plugin: "echo", listen: TCP } },
    },
    "read env net write",
    "net",
  ],
  threads: [{ control: false, services: { a: oneWorker("threads") } }, "read env net ffi", "ffi"],
  processes: [
    { control: false, services: { a: oneWorker("processes") } },
    "read env net ffi run",
    "run ffi",
  ],
  "a program": [
    {
      control: false,
      services: { a: { plugin: "exec", listen: TCP, options: { command: ["cat"] } } },
    },
    "read env net sys ffi run",
    "sys ffi",
  ],
  "a log file": [
    {
      control: false,
      services: {
        a: { plugin: "echo", listen: TCP, log: ["json", { type: "file", path: "./a.log" }] },
      },
    },
    "read env net write",
    "write",
  ],
};

for (const [name, [manifest, needed, omitted]] of Object.entries(CASES)) {
  test(`${name}: Deno is given what check --permissions prints, and what lacks is named`, async (t) => {
    const home = folder(t, {
      "portico.json": JSON.stringify({ defaults: { log: "json" }, ...manifest }),
    });
    const { flags } = JSON.parse((await portico("check", "--permissions", "--json", home)).out);
    const allowed = needed.split(" ").map((permission) => `--allow-${permission}`);
    const given = (flags as string[]).filter((flag) => flag.startsWith("--allow-"));
    assert.deepEqual(given.sort(), allowed.sort());
    const text = (await portico("check", "--permissions", home)).out;
    assert.equal(text, `${flags.join(" ")}\n`);

    const start = (words: readonly string[]): ServerProcess => {
      const line = [DENO, "run", "--no-prompt", "--no-check", ...words, MAIN] as const;
      const server = new ServerProcess(home, { portico: [...line] });
      t.after(() => server.kill());
      return server;
    };
    const server = start(flags);
    await server.record({ event: "ready" });
    assert.equal(await askOnce(t, server.endpoint("a", "tcp"), "hello"), "hello");
    assert.deepEqual([server.all({ level: "warn" }), server.all({ level: "error" })], [[], []]);
    await server.stop();

    await Promise.all(
      omitted.split(" ").map(async (permission) => {
        const flag = `--allow-${permission}`;
        const lacking = start((flags as string[]).filter((each) => each !== flag));
        const told = (): string => lacking.errors + JSON.stringify(lacking.all({}));
        await lacking.when(`a word of ${flag}`, () => told().includes(flag));
        assert.ok(!/a bug|HOOK_FAILED/.test(told()), told());
        await lacking.kill();
      }),
    );
  });
}

test("a limit of memory that cannot be kept is told of at the start, and by check", async (t) => {
  const service = { ...oneWorker("processes"), resources: { memory: "800MB" } };
  const home = folder(t, {
    "portico.json": JSON.stringify({ control: false, services: { a: service } }),
  });
  const flags = (await portico("check", "--permissions", home)).out.trim().split(" ");
  const line = [DENO, "run", "--no-prompt", "--no-check", ...flags, MAIN] as const;
  const server = new ServerProcess(home, { portico: [...line] });
  t.after(() => server.kill());
  const told = (): string => server.errors + JSON.stringify(server.all({}));
  await server.when("the reason", () => told().includes("resources.memory: /proc cannot be read"));
  assert.match(told(), /--allow-all/);
  assert.notEqual(await server.ended(), 0);
  const [program, ...words] = line;
  const check = await runToEnd([program, [...words, "check", home]]);
  assert.equal(check.code, 2, check.out + check.err);
  assert.match(
    check.out,
    /^no +a .*resources +memory: \/proc, where it is looked at, cannot be read/m,
  );
});
