/** The limits of programs that `exec` runs, each hit by a program. */
import assert from "node:assert/strict";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { lackingFeature } from "./support/adapter.ts";
import { startManifest } from "./support/in-process.ts";
import { lackingPrograms } from "./support/packages.ts";
import { dial, openUdp } from "./support/peers.ts";

const programs = lackingPrograms("sh", "cat", "dd", "nice", "ionice", "prlimit");
const skip = lackingFeature("descriptors") || programs;

/** Runs a line of a shell with limits, for one who connects. */
async function run(t: TestContext, script: string, limits: object): Promise<{
  readonly text: string;
  readonly close: Readonly<Record<string, unknown>>;
}> {
  const server = await startManifest(t, {
    exec: {
      plugin: "exec",
      listen: "tcp://127.0.0.1:0",
      options: { command: ["sh", "-c", script], ...limits },
    },
  });
  const peer = await dial(t, server.endpoint("exec"));
  await peer.when("the end", () => peer.ended);
  return { text: peer.text, close: await server.record({ event: "close" }) };
}

test("exec: a program has the limits of its service, both of each", { skip }, async (t) => {
  const resources = {
    memory: "1GiB",
    data: "512MiB",
    stack: "1MiB",
    cpu: "1500ms",
    files: 20,
    processes: 50,
    core: 0,
  };
  const { text, close } = await run(t, "cat /proc/self/limits", { resources });
  assert.equal(close["exit"], 0);
  const rows = Object.fromEntries(
    [...text.matchAll(/^Max (.*?) {2,}(\S+) +(\S+)/gm)].map((
      [, name, soft, hard],
    ) => [name, `${soft} ${hard}`]),
  );
  assert.deepEqual(
    [
      "address space",
      "data size",
      "stack size",
      "cpu time",
      "open files",
      "processes",
      "core file size",
    ].map((name) => rows[name]),
    [
      "1073741824 1073741824",
      "536870912 536870912",
      "1048576 1048576",
      "2 3",
      "20 20",
      "50 50",
      "0 0",
    ],
  );
});

test("exec: CPU time that is used up ends a program, and the record says so", {
  skip,
}, async (t) => {
  const { close } = await run(t, "while :; do :; done", { resources: { cpu: "1s", core: 0 } });
  assert.deepEqual([close["signal"], close["exit"]], ["SIGXCPU", undefined]);
});

test("exec: a program that does not listen to that is killed a second later", {
  skip,
}, async (t) => {
  const script = "trap '' XCPU; while :; do :; done";
  const { close } = await run(t, script, { resources: { cpu: "1s", core: 0 } });
  assert.equal(close["signal"], "SIGKILL");
});

test("exec: more memory, or more files, is not to be had", { skip }, async (t) => {
  const large = "dd if=/dev/zero of=/dev/null bs=80M count=1 2>/dev/null && echo got it";
  const free = await run(t, large, {});
  assert.equal(free.text, "got it\n");
  const memory = await run(t, large, { resources: { memory: "40MB" }, stderr: "discard" });
  assert.equal(memory.text, "");
  const open = "exec 3</dev/null 4</dev/null 5</dev/null && echo open";
  assert.equal((await run(t, open, { resources: { files: 8 } })).text, "open\n");
  const files = await run(t, open, { resources: { files: 5 }, stderr: "discard" });
  assert.deepEqual([files.text, files.close["exit"]], ["", 2]);
});

test("exec: priorities are the program's, not the server's", { skip }, async (t) => {
  const priorities = "nice; ionice";
  const { text } = await run(t, priorities, { nice: 5, ioprio: "best-effort:7" });
  assert.equal(text, "5\nbest-effort: prio 7\n");
  assert.match((await run(t, priorities, { ioprio: "idle" })).text, /^0\nidle$/m);
  assert.match((await run(t, priorities, {})).text, /^0\n/);
});

test("exec: datagrams are served by programs with limits, too", { skip: programs }, async (t) => {
  const command = ["sh", "-c", "ulimit -n; nice"];
  const server = await startManifest(t, {
    exec: {
      plugin: "exec",
      listen: "udp://127.0.0.1:0",
      options: { command, nice: 3, resources: { files: 30 } },
    },
  });
  const peer = await openUdp(t);
  const answer = await peer.ask("x", server.endpoint("exec", "udp"));
  assert.equal(new TextDecoder().decode(answer), "30\n3\n");
});

test("exec: limits that are wrong are errors of the manifest", async (t) => {
  for (
    const [limits, pattern] of [
      [{ resources: { memory: 0 } }, /memory.*from 1 to/],
      [{ resources: { cpu: "0s" } }, /cpu.*a duration above 0/],
      [{ resources: { files: 1.5 } }, /files.*a whole number above 0/],
      [{ resources: { swap: 1 } }, /swap/],
      [{ resources: 3 }, /an object of limits/],
      [{ nice: 20 }, /-20 to 19/],
      [{ ioprio: "idle:3" }, /best-effort:7/],
    ] as const
  ) {
    await assert.rejects(
      startManifest(t, {
        exec: {
          plugin: "exec",
          listen: "tcp://127.0.0.1:0",
          options: { command: ["cat"], ...limits },
        },
      }),
      (error: Error) => {
        const text = error.message + JSON.stringify((error as { problems?: unknown }).problems);
        assert.match(text.replaceAll(/\s+/g, " "), pattern);
        return true;
      },
    );
  }
});

test("exec: what only root may give is refused at the start", {
  skip: process.geteuid?.() === 0 && "this is root",
}, async (t) => {
  await assert.rejects(
    startManifest(t, {
      exec: {
        plugin: "exec",
        listen: "tcp://127.0.0.1:0",
        options: { command: ["cat"], nice: -5 },
      },
    }),
    /only root can make a program more important/,
  );
});
