/** The file sink with logrotate(8) itself: by SIGHUP, and by copytruncate. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { folder } from "../support/folder.ts";
import { askOnce } from "../support/peers.ts";
import { lackingPrograms, pathOf } from "../support/packages.ts";
import { Program } from "../support/program.ts";
import type { Scope } from "../support/scope.ts";
import { type JsonRecord, pluginPath, startServer } from "../support/server-process.ts";
import { until } from "../support/until.ts";

function manifest(concurrency: object = { strategy: "async" }): string {
  const service = {
    plugin: pluginPath("probe"),
    listen: "tcp://127.0.0.1:0",
    options: { form: "commands" },
    concurrency,
    log: ["json", { type: "file", path: "a.log" }],
  };
  return JSON.stringify({ control: false, services: { a: service } });
}

function records(path: string): JsonRecord[] {
  const packed = `${path}.gz`;
  const text = existsSync(packed)
    ? gunzipSync(readFileSync(packed)).toString()
    : existsSync(path)
    ? readFileSync(path, "utf8")
    : "";
  return text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
}

/** Runs logrotate once. */
async function rotate(scope: Scope, home: string, words: string): Promise<void> {
  const conf = join(home, "conf");
  writeFileSync(conf, `${join(home, "a.log")} {\n  rotate 9\n${words}\n}\n`);
  chmodSync(conf, 0o600);
  const program = new Program(
    scope,
    home,
    pathOf("logrotate")!,
    "--force",
    "--state",
    join(home, "state"),
    conf,
  );
  program.end();
  await program.ended();
  assert.equal(program.code, 0, program.errors);
}

describe("logrotate", { skip: lackingPrograms("logrotate") }, () => {
  for (const strategy of ["async", "processes"] as const) {
    test(`${strategy}: with SIGHUP and compression it loses and tears nothing under load`, async (t) => {
      const home = folder(t, { "portico.json": manifest({ strategy }) });
      const server = await startServer(t, home);
      const endpoint = server.endpoint("a", "tcp");
      let going = true;
      const load = Array.from({ length: 4 }, async () => {
        while (going) await askOnce(t, endpoint, "log 50");
      });
      const words = [
        "compress",
        "delaycompress",
        "create 0640",
        "postrotate",
        `  kill -HUP ${server.pid}`,
        "endscript",
      ];
      for (let turn = 1; turn <= 4; turn++) {
        const before = server.records.length;
        await until("some records", () => server.records.length > before + 200);
        await rotate(t, home, words.map((word) => `  ${word}`).join("\n"));
        await server.count(turn, { event: "reload" });
      }
      going = false;
      await Promise.all(load);
      await server.stop();
      const path = join(home, "a.log");
      const parts = [4, 3, 2, 1].map((n) => records(`${path}.${n}`));
      for (const part of parts) assert.ok(part.length > 100, `${part.length} records in a part`);
      assert.ok(existsSync(`${path}.2.gz`));
      assert.deepEqual([...parts.flat(), ...records(path)], server.records);
      assert.equal(server.errors, "");
    });
  }

  test("after copytruncate lines go on at the beginning of the file", async (t) => {
    const home = folder(t, { "portico.json": manifest() });
    const server = await startServer(t, home);
    const endpoint = server.endpoint("a", "tcp");
    await askOnce(t, endpoint, "log 50");
    const path = join(home, "a.log");
    await until("the close", () => records(path).at(-1)?.event === "close");
    const before = server.records.length;
    await rotate(t, home, "  copytruncate");
    await askOnce(t, endpoint, "log 50");
    await server.stop();
    assert.deepEqual(records(`${path}.1`), server.records.slice(0, before));
    assert.deepEqual(records(path), server.records.slice(before));
  });
});
