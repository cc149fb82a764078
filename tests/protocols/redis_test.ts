/** RESP: one store for all, commands that are parsed once, in push form and in pull form. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { portico } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { ManagedServer, TCP } from "../support/managed-server.ts";
import { lackingPrograms } from "../support/packages.ts";
import { dial } from "../support/peers.ts";
import { client, portOf, protocolPlugin, serveProtocol } from "../support/protocols.ts";
import { manifest } from "../support/server-process.ts";
import { SAMPLE } from "../support/strategies.ts";

const skip = lackingPrograms("redis-cli", "redis-benchmark");

for (const form of ["push", "frames", "readUntil"]) {
  test(`redis, ${form}: redis-cli and redis-benchmark are served`, { skip }, async (t) => {
    const server = await serveProtocol(t, "redis", "async", { options: { form } });
    const port = await portOf(server, "redis");
    const cli = async (...words: string[]): Promise<string> =>
      (await client("redis-cli", "-p", port, ...words)).trim();
    assert.equal(await cli("PING"), "PONG");
    assert.equal(await cli("SET", "key", "zwölf Boxkämpfer"), "OK");
    assert.equal(await cli("GET", "key"), "zwölf Boxkämpfer");
    assert.equal(await cli("GET", "other"), "");
    for (const count of ["1", "2", "3"]) assert.equal(await cli("INCR", "count"), count);
    assert.equal(await cli("DEL", "key", "count", "nothing"), "2");
    assert.match(await cli("NONSENSE"), /unknown command 'NONSENSE'/);

    const csv = await client(
      ...["redis-benchmark", "-p", port, "-t", "set,get", "-n", 2000, "-P", 16, "--csv"] as const,
    );
    assert.match(csv, /^"SET","\d/m);
    assert.match(csv, /^"GET","\d/m);
    assert.deepEqual(server.process.all({ level: /warn|error/ }), []);
  });

  test(`redis, ${form}: a command in pieces, several in one piece, and a peer that breaks the protocol`, async (t) => {
    const server = await serveProtocol(t, "redis", "async", { options: { form } });
    const peer = await dial(t, await server.endpoint("redis", "tcp"));
    const commands =
      "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\n1\r\n23\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
    let answers = "";
    for (const byte of commands) {
      peer.send(byte);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    answers += "+OK\r\n$5\r\n1\r\n23\r\n";
    await peer.when("both answers", () => peer.text === answers);
    peer.send(`${commands}PING\r\n`);
    answers += "+OK\r\n$5\r\n1\r\n23\r\n+PONG\r\n";
    await peer.when("three answers", () => peer.text === answers);
    peer.send("PING\r\n*1\r\n+oops\r\n");
    answers += "+PONG\r\n-ERR Protocol error: expected '$'\r\n";
    await peer.over();
    // What was answered before the error, and the error itself, come before the end.
    assert.equal(peer.text, answers);
    assert.deepEqual([peer.ended, peer.code], [true, undefined]);
    peer.end();
    const close = await server.process.record({ event: "close" });
    assert.equal(close["reason"], "error");
    assert.deepEqual(server.process.all({ level: /warn|error/ }), []);
  });
}

test("redis: its store is one, so that strategies which would split it are refused by check and run", async (t) => {
  for (const strategy of SAMPLE) {
    for (const workers of strategy === "threads" || strategy === "processes" ? [1, 2] : [1]) {
      const home = folder(t, {
        "portico.json": manifest({
          redis: {
            plugin: protocolPlugin("redis"),
            listen: TCP,
            concurrency: {
              strategy,
              ...(strategy !== "async" && strategy !== "serial" && strategy !== "spawn" &&
                { workers }),
            },
          },
        }),
      });
      for (const word of workers > 1 || strategy === "spawn" ? ["check", "run"] : ["check"]) {
        const { code, out, err } = await portico(word, home);
        if (workers === 1 && strategy !== "spawn") {
          assert.equal(code, 0, `${strategy}: ${out}${err}`);
        } else {
          assert.equal(code, 2, `${strategy}: ${out}${err}`);
          assert.match(err, /the plugin redis keeps one state for all sessions/);
        }
      }
    }
  }
});

test("redis: a store of one worker is one for all of its peers", { skip }, async (t) => {
  const server = await ManagedServer.start(t, {
    redis: {
      plugin: protocolPlugin("redis"),
      listen: TCP,
      concurrency: { strategy: "processes", workers: 1 },
    },
  });
  const port = await portOf(server, "redis");
  for (let i = 1; i <= 4; i++) {
    assert.equal((await client("redis-cli", "-p", port, "INCR", "n")).trim(), String(i));
  }
});
