/** Whom servers and their workers become: user, group, umask, priority and environment. */
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assertEchoes, echoManifest } from "../support/echo.ts";
import { folder } from "../support/folder.ts";
import { dial } from "../support/peers.ts";
import { lackingOtherUsers } from "../support/permissions.ts";
import { ask, controlled, probe, stopWithWorkers, twoWorkers, who } from "../support/probe.ts";
import { niceOf, sendSignal, statusOf } from "../support/proc.ts";
import { startServer } from "../support/server-process.ts";
import { lackingWorkers, PROCESSES } from "../support/strategies.ts";
import { until } from "../support/until.ts";

const skip = lackingWorkers || lackingOtherUsers();

describe("user", () => {
  test(
    "a server becomes its user when its sockets are open",
    { skip },
    async (t) => {
      const home = folder(t, {
        "portico.json": JSON.stringify({
          user: 4001,
          group: 4002,
          umask: "027",
          control: false,
          services: { echo: { plugin: "echo", listen: "tcp://127.0.0.1:0", log: "json" } },
        }),
      });
      const server = await startServer(t, home);
      const status = readFileSync(`/proc/${server.pid}/status`, "utf8").replaceAll(/[\t ]+/g, " ");
      assert.match(status, /^Uid: 4001 4001 4001 4001$/m);
      assert.match(status, /^Gid: 4002 4002 4002 4002$/m);
      assert.match(status, /^Groups: 4002 ?$/m);
      assert.match(status, /^Umask: 0027$/m);
      await assertEchoes(t, server, "tcp");
      sendSignal(server.pid, "SIGTERM");
      assert.equal(await server.ended(), 0);
    },
  );
  test("a log file is the user's from the start, and opened again after a SIGHUP", {
    skip,
  }, async (t) => {
    const home = folder(t, {});
    const [logs, plain, rotated] = ["logs", "logs/plain.log", "logs/rotated.log"].map((name) =>
      join(home, name)
    ) as [string, string, string];
    chmodSync(home, 0o755);
    mkdirSync(logs);
    chownSync(logs, 4001, 4002);
    // What was put aside by root, and not compressed yet.
    const aside = ["20260101-000000.000", "20260102-000000.000"].map((time) =>
      `${rotated}.${time}`
    );
    for (const path of aside) {
      writeFileSync(path, "{}\n");
      chownSync(path, 4001, 4002);
    }
    const rotate = { size: "1MB", keep: 5, gzip: true };
    const log = ["json", { type: "file", path: plain }, { type: "file", path: rotated, rotate }];
    const services = { echo: { plugin: "echo", listen: "tcp://127.0.0.1:0", log } };
    writeFileSync(
      join(home, "portico.json"),
      JSON.stringify({ user: 4001, group: 4002, control: false, services }),
    );
    const server = await startServer(t, home);
    const ownerOf = (path: string): number[] => {
      const { uid, gid, mode } = statSync(path);
      return [uid, gid, mode & 0o777];
    };
    for (const path of [plain, rotated]) assert.deepEqual(ownerOf(path), [4001, 4002, 0o640]);
    await until("the compressed file", () => existsSync(`${aside[0]}.gz`));
    assert.deepEqual(ownerOf(`${aside[0]}.gz`).slice(0, 2), [4001, 4002]);
    for (const path of [plain, rotated]) renameSync(path, `${path}.1`);
    server.signal("SIGHUP");
    await server.record({ event: "reload" });
    await assertEchoes(t, server, "tcp");
    await server.stop();
    for (const path of [plain, rotated]) {
      assert.deepEqual(ownerOf(path), [4001, 4002, 0o640]);
      assert.match(readFileSync(path, "utf8"), /"event":"close"/);
    }
    assert.equal(server.errors, "");
  });
  test("a log file that the user cannot open again is told at the start", { skip }, async (t) => {
    const home = folder(t, {
      "app.log": "",
      "portico.json": JSON.stringify({
        user: 4001,
        group: 4002,
        control: false,
        services: {
          echo: {
            plugin: "echo",
            listen: "tcp://127.0.0.1:0",
            log: ["json", { type: "file", path: "./app.log" }],
          },
        },
      }),
    });
    const server = await startServer(t, home);
    await server.stop();
    assert.match(server.errors, /app\.log belongs to user 0: user 4001, whom .*; chown it/);
    assert.equal(statSync(join(home, "app.log")).uid, 0, "what was there is given to nobody");
  });
  test("the workers of a service become what it says", { skip }, async (t) => {
    const own = { user: 4001, group: 4002, umask: "077", nice: 3, env: { OWN: "x", TAKEN: null } };
    const listen = ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"];
    const concurrency = { strategy: "processes", workers: 1 };
    const home = folder(t, echoManifest({ listen, concurrency, ...own }));
    const server = await startServer(t, home, { env: { TAKEN: "y", KEPT: "z" } });
    await assertEchoes(t, server, "tcp");
    const { pid } = await server.record({ event: "worker", action: "started" });
    const of = (name: string): string => readFileSync(`/proc/${pid}/${name}`, "utf8");
    const status = of("status").replaceAll(/[\t ]+/g, " ");
    assert.match(status, /^Uid: 4001 4001 4001 4001$/m);
    assert.match(status, /^Gid: 4002 4002 4002 4002$/m);
    assert.match(status, /^Groups: 4002 ?$/m);
    assert.match(status, /^Umask: 0077$/m);
    // The name in parentheses may hold spaces: nice is the 17th field after it; proc_pid_stat(5).
    assert.equal(of("stat").replace(/^.*\) /, "").split(" ")[16], "3");
    const environ = of("environ").split("\0");
    assert.deepEqual(["OWN=x", "KEPT=z", "TAKEN=y"].map((one) => environ.includes(one)), [
      true,
      true,
      false,
    ]);
    assert.match(readFileSync(`/proc/${server.pid}/status`, "utf8"), /^Uid:\t0\t/m);
    await assertEchoes(t, server, "udp");
    await server.stop();
  });
});

for (const strategy of PROCESSES) {
  test(`${strategy}: user, group, umask, nice and env are the worker's`, {
    skip,
  }, async (t) => {
    const own = {
      user: "nobody",
      umask: "027",
      nice: 7,
      env: { PROBE: "here", PORTICO_TEST_GONE: null },
    };
    const home = folder(
      t,
      controlled({
        one: probe(twoWorkers(strategy), {}, own),
        two: probe(twoWorkers(strategy), {}, { group: 12 }),
      }),
    );
    chmodSync(home, 0o777);
    const server = await startServer(t, home, { env: { PORTICO_TEST_GONE: "not yet" } });
    const peer = await dial(t, server.endpoint("one", "tcp"));
    const { pid } = await who(peer);
    assert.deepEqual(statusOf(pid, "Uid"), Array(4).fill("65534"));
    assert.deepEqual(statusOf(pid, "Gid"), Array(4).fill("65534"));
    assert.deepEqual(statusOf(pid, "Groups"), ["65534"]);
    assert.equal(niceOf(pid), 7);
    assert.equal(await ask(peer, "env PROBE"), "here");
    assert.equal(await ask(peer, "env PORTICO_TEST_GONE"), "none");
    assert.equal(await ask(peer, `write ${join(home, "file")}`), "written");
    const { mode, uid } = statSync(join(home, "file"));
    assert.deepEqual([mode & 0o777, uid], [0o640, 65534]);
    assert.deepEqual(statusOf(server.pid, "Uid"), Array(4).fill("0"));
    peer.end();
    const other = await dial(t, server.endpoint("two", "tcp"));
    const { pid: otherPid } = await who(other);
    assert.deepEqual([statusOf(otherPid, "Uid")[0], statusOf(otherPid, "Gid")[0]], ["0", "12"]);
    other.end();
    await stopWithWorkers(server);
  });

  test(`${strategy}: who the server becomes, its workers become, those of later too`, {
    skip,
  }, async (t) => {
    const home = folder(
      t,
      controlled({ one: probe(twoWorkers(strategy)) }, { user: "nobody", umask: "077" }),
    );
    chmodSync(home, 0o777);
    const server = await startServer(t, home, { env: { HOME: home } });
    assert.deepEqual(statusOf(server.pid, "Uid"), Array(4).fill("65534"));
    const check = async (index: number): Promise<void> => {
      const peer = await dial(t, server.endpoint("one", "tcp"));
      const { pid } = await who(peer);
      assert.deepEqual(statusOf(pid, "Uid"), Array(4).fill("65534"));
      assert.deepEqual(statusOf(pid, "Gid"), Array(4).fill("65534"));
      assert.deepEqual(statusOf(pid, "Groups"), ["65534"]);
      const file = join(home, `file-${index}`);
      assert.equal(await ask(peer, `write ${file}`), "written");
      assert.equal(statSync(file).mode & 0o777, 0o600);
      peer.send("exit 3\n");
      await peer.over();
      await server.count(index, { event: "worker", action: "exited" });
    };
    for (let index = 1; index <= 4; index++) await check(index);
    await stopWithWorkers(server);
  });
}
