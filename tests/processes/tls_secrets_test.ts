/** Of a key nothing is ever told: in no record, error, status, metric, command line, environment or file. */
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "node:tls";
import { certificates } from "../support/certificates.ts";
import { portico } from "../support/command.ts";
import { ManagedServer } from "../support/managed-server.ts";
import { lackingStrategy } from "../support/strategies.ts";
import { within } from "../support/until.ts";

const made = certificates();

/** The lines of a key that say something of it. */
function secretsOf(pem: string): string[] {
  return pem.split("\n").filter((line) => line.length > 16 && !line.startsWith("-----"));
}

/** What of a process everybody of its user can see. */
function seen(pid: number): string {
  try {
    const read = (file: string): string => readFileSync(`/proc/${pid}/${file}`, "latin1");
    return read("cmdline") + read("environ");
  } catch {
    // It has ended since it was told of, as one of spawn does.
    return "";
  }
}

for (const strategy of ["async", "threads", "processes", "spawn"] as const) {
  test(`nothing of a key is told by anything (${strategy})`, {
    skip: lackingStrategy(strategy) ||
      (process.platform !== "linux" && "there is no /proc"),
  }, async (t) => {
    const tls = { cert: "s.pem", key: "s.key" };
    const server = ManagedServer.prepare(t, {
      s: { plugin: "echo", listen: "tls://127.0.0.1:0", tls, concurrency: strategy },
    });
    const put = (name: "a" | "b" | "other", parts: readonly ("pem" | "key")[]): void => {
      for (const part of parts) copyFileSync(made.file(name, part), join(server.home, `s.${part}`));
    };
    put("a", ["pem", "key"]);
    await server.start();
    const told: string[] = [];
    const { endpoints } = await server.service("s");
    const port = Number(/:(\d+)$/.exec(endpoints[0]!)![1]);
    const ask = async (): Promise<void> => {
      const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
      socket.write("hello");
      await within("an answer", new Promise((resolve) => socket.once("data", resolve)));
      const { workers } = await server.service("s");
      for (const { pid } of workers) if (pid > 1) told.push(seen(pid));
      socket.destroy();
    };
    await ask();
    // A key that fits no certificate; one that is damaged; one that is locked.
    put("b", ["key"]);
    await server.reload();
    const damaged = made.key("a").replace(/.\n-----END/, "\n-----END");
    for (
      const text of [damaged, made.key("a").replaceAll("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")]
    ) {
      writeFileSync(join(server.home, "s.key"), text);
      await server.reload();
      const { code, out, err } = await portico("check", server.home);
      assert.equal(code, 2);
      told.push(out, err);
    }
    await ask();
    put("b", ["pem", "key"]);
    await server.reload();
    await ask();
    for (const words of [["status"], ["status", "--json"], ["top"]]) {
      const { out, err } = await server.ctl(...words);
      told.push(out, err);
    }
    told.push(JSON.stringify(await server.status()), JSON.stringify(await server.ask("top")));
    for (const word of ["check", "explain", "doctor"]) {
      const { out, err } = await portico(word, server.home);
      told.push(out, err);
    }
    told.push(seen(server.process.pid));
    await server.process.stop();
    told.push(server.process.errors, JSON.stringify(server.process.all({})));
    const all = told.join("\n");
    assert.ok(all.length > 1000);
    for (const name of ["a", "b"] as const) {
      for (const line of secretsOf(made.key(name))) {
        assert.ok(!all.includes(line), `a part of the key of ${name} was told`);
      }
    }
    assert.doesNotMatch(all, /PRIVATE KEY-----/);
  });
}
