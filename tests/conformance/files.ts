/** The files of Unix sockets, for streams and for datagrams. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import type { SocketOptions, Support } from "../../runtime/core/contract.ts";
import { until } from "../support/until.ts";
import type { Harness, Tested } from "./harness.ts";
import type { Case, Stage } from "./stage.ts";
import { both, kernel, programs, rejects } from "./stage.ts";

type Unix = "unix" | "unixgram";

function open(stage: Stage, path: string, options: SocketOptions = {}) {
  return stage.open({ transport: stage.transport as Unix, path }, options);
}

/** Tells of each socket file in a folder that others than its user may connect to, until its input ends. */
const WATCH = `
import os, select, stat, sys
print("watching", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    for entry in os.scandir(sys.argv[1]):
        try:
            mode = entry.stat(follow_symlinks=False).st_mode
        except OSError:
            continue
        if stat.S_ISSOCK(mode) and mode & 0o077:
            print(entry.name, oct(mode), flush=True)
            sys.exit()
`;

/** Has sockets open under the names of {@link leaveStale}, in its own folder, until its input ends. */
const HOLD = `
import socket, sys
held = [socket.socket(socket.AF_UNIX, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
for each, path in zip(held, ("stream", "datagrams")):
    each.bind(path)
held[0].listen()
print("bound", flush=True)
sys.stdin.read()
`;

function pathOf(stage: Stage): string {
  return (stage.harness.place(stage.transport) as { path: string }).path;
}

/** Leaves two socket files that nobody has open: of a stream, and of a datagram socket. */
function leaveStale(...paths: [string, string]): void {
  const program = `
import socket, sys
for path, kind in zip(sys.argv[1:], (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
    socket.socket(socket.AF_UNIX, kind).bind(path)
`;
  const { status, stderr } = spawnSync("python3", ["-c", program, ...paths], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  for (const path of paths) assert.ok(lstatSync(path).isSocket());
}

/** That somebody is heard through the path or name. */
async function talk(stage: Stage, path: string): Promise<void> {
  if (stage.transport === "unix") {
    const server = await stage.listen(
      { data: (connection, chunk) => void connection.write(chunk) },
      {},
      { transport: "unix", path },
    );
    const peer = await stage.connect(server);
    peer.write("hello");
    await until("the echo", () => peer.received === 5);
    assert.equal(String((await server.connection(0)).connection.local), `unix:${path}`);
  } else {
    const receiver = await stage.bind(
      (receiver, bytes, from) => void receiver.send(bytes, from),
      {},
      { transport: "unixgram", path },
    );
    const peer = await stage.join();
    peer.send("hello", receiver.socket.address);
    await until("the answer", () => peer.received.length === 1);
  }
}

const mode = (harness: Harness, transport: Tested): Support =>
  both(
    harness.kernel,
    harness.adapter.features.options.mode[transport] ?? { reason: "it has no meaning" },
  );

export const files: readonly Case[] = [
  {
    name: "the file is there while it listens, and gone afterwards",
    needs: kernel,
    async run(stage) {
      const path = pathOf(stage);
      const bound = await open(stage, path);
      assert.ok(lstatSync(path).isSocket());
      await bound.close();
      assert.equal(existsSync(path), false);
    },
  },
  {
    name: "a stale file is taken over",
    needs: programs("python3"),
    async run(stage) {
      const paths: [string, string] = [pathOf(stage), pathOf(stage)];
      leaveStale(...paths);
      for (const path of paths) await talk(stage, path);
    },
  },
  {
    name: "of several that take over a stale file at once one has it, and its file",
    needs: kernel,
    async run(stage) {
      for (let round = 0; round < 5; round++) {
        const paths: [string, string] = [pathOf(stage), pathOf(stage)];
        leaveStale(...paths);
        for (const path of paths) {
          const opened = await Promise.allSettled(
            Array.from({ length: 6 }, () => open(stage, path)),
          );
          const failures = opened.filter(({ status }) => status === "rejected");
          assert.equal(failures.length, 5);
          for (const { reason } of failures as PromiseRejectedResult[]) {
            assert.match(String(reason), /another process listens there \(EADDRINUSE\)/);
          }
          assert.ok(lstatSync(path).isSocket());
          await rejects(open(stage, path), "EADDRINUSE", path);
          for (const each of opened) if (each.status === "fulfilled") await each.value.close();
        }
      }
      const folder = dirname(pathOf(stage));
      const left = readdirSync(folder).filter((name) => name.startsWith("."));
      assert.deepEqual(left, []);
    },
  },
  {
    name:
      "a stale file is taken over though somebody has a path of the same letters, in another folder",
    needs: programs("python3"),
    async run(stage) {
      const before = process.cwd();
      const [here, there] = [pathOf(stage), pathOf(stage)];
      for (const folder of [here, there]) mkdirSync(folder);
      process.chdir(here);
      const other = spawn("python3", ["-c", HOLD], { cwd: there, stdio: "pipe" });
      const gone = once(other, "close");
      try {
        await once(other.stdout, "data");
        leaveStale("stream", "datagrams");
        for (const path of ["stream", "datagrams"]) await talk(stage, path);
      } finally {
        process.chdir(before);
        other.stdin.end();
        await gone;
      }
    },
  },
  {
    name: "a live socket of the other kind is refused, and stays",
    needs: (harness) => both(harness.kernel, harness.adapter.features.transports.unixgram),
    async run(stage) {
      const path = pathOf(stage);
      const kind = stage.transport === "unix" ? "unixgram" : "unix";
      const other = await stage.open({ transport: kind, path });
      await rejects(open(stage, path), "EADDRINUSE", path);
      assert.ok(lstatSync(path).isSocket());
      await other.close();
    },
  },
  {
    name: "a file that is no socket is refused, and stays as it is",
    needs: kernel,
    async run(stage) {
      const path = pathOf(stage);
      writeFileSync(path, "mine");
      await rejects(open(stage, path), "EADDRINUSE", path);
      assert.equal(statSync(path).size, 4);
      const folder = pathOf(stage);
      mkdirSync(folder);
      await rejects(open(stage, folder), "EADDRINUSE", folder);
    },
  },
  {
    name: "on close the file goes only if it is still ours",
    needs: kernel,
    async run(stage) {
      const path = pathOf(stage);
      const bound = await open(stage, path);
      rmSync(path);
      writeFileSync(path, "another's");
      await bound.close();
      assert.equal(statSync(path).size, 9);
    },
  },
  {
    name: "mode is applied",
    needs: mode,
    async run(stage) {
      for (const mode of [0o600, 0o660, 0o666]) {
        const path = pathOf(stage);
        const bound = await open(stage, path, { mode });
        assert.equal((statSync(path).mode & 0o777).toString(8), mode.toString(8));
        await bound.close();
      }
    },
  },
  {
    name: "a file is never open to more than its mode says, not even before it is at its path",
    needs: programs("python3"),
    async run(stage) {
      const before = process.umask(0);
      const path = pathOf(stage);
      const watcher = spawn("python3", ["-c", WATCH, dirname(path)], { stdio: "pipe" });
      let seen = "";
      watcher.stdout.on("data", (text) => seen += text);
      const gone = once(watcher, "close");
      try {
        await until("the watcher", () => seen.startsWith("watching"));
        for (let i = 0; i < 60; i++) {
          const socket = await open(stage, path, { mode: 0o600 });
          assert.equal(statSync(path).mode & 0o777, 0o600);
          await socket.close();
        }
      } finally {
        process.umask(before);
        watcher.stdin.end();
        await gone;
      }
      assert.equal(seen, "watching\n", "nobody else could have connected");
    },
  },
  {
    name: "a folder that is not there is refused, by name",
    needs: kernel,
    async run(stage) {
      const path = `${pathOf(stage)}/no/such.sock`;
      await rejects(open(stage, path), "ENOENT", path);
    },
  },
  {
    name: "the longest path works, one byte more is refused",
    needs: kernel,
    async run(stage) {
      const base = pathOf(stage);
      const longest = base + "x".repeat(107 - base.length);
      await talk(stage, longest);
      const longer = `${base}${"y".repeat(108 - base.length)}`;
      await rejects(open(stage, longer), "ENAMETOOLONG", longer);
    },
  },
  {
    name: "an abstract name works, leaves no file, and is refused while in use",
    needs: (harness) => both(harness.kernel, harness.adapter.features.abstract),
    async run(stage) {
      const path = `@portico-${process.pid}-${stage.transport}-${Math.trunc(performance.now())}`;
      await talk(stage, path);
      await rejects(open(stage, path), "EADDRINUSE", path);
      assert.equal(existsSync(path), false);
    },
  },
];
