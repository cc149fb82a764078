/** A server as process 1, as in a container: what its programs leave behind is reaped, and only that. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { folder } from "../support/folder.ts";
import { dial } from "../support/peers.ts";
import { children, sendSignal } from "../support/proc.ts";
import { manifest, startServer } from "../support/server-process.ts";
import { lackingStrategy } from "../support/strategies.ts";
import { until } from "../support/until.ts";

const UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"] as const;
const SESSIONS = 20;

/** Each leaves a job behind that outlives it. */
const COMMAND = ["sh", "-c", "sleep 0.2 </dev/null >/dev/null 2>&1 & echo bye; exit 3"];

function lackingUnshare(): string | false {
  const [program, ...words] = UNSHARE;
  const { status, stderr } = spawnSync(program, [...words, "true"], { encoding: "utf8" });
  return status !== 0 && `no process can be the first of its namespace: ${stderr ?? program}`;
}

/** Children of a process that have ended and that nobody has waited for. */
function zombies(parent: number): string[] {
  return readdirSync("/proc").filter((name) => {
    try {
      const text = readFileSync(`/proc/${name}/stat`, "latin1");
      const [state, of] = text.slice(text.lastIndexOf(")") + 2).split(" ");
      return state === "Z" && Number(of) === parent;
    } catch {
      return false;
    }
  });
}

const lacking = lackingUnshare();

for (const strategy of ["async", "threads", "processes"] as const) {
  test(`${strategy}: process 1 reaps what programs leave behind, and hears how these have ended`, {
    skip: lacking || lackingStrategy(strategy),
  }, async (t) => {
    const exec = {
      plugin: "exec",
      listen: "tcp://127.0.0.1:0",
      concurrency: strategy,
      options: { command: COMMAND },
    };
    const home = folder(t, { "portico.json": manifest({ exec }) });
    const server = await startServer(t, home, { through: UNSHARE });
    const [first] = children(server.pid);
    const endpoint = server.endpoint("exec", "tcp");
    for (let i = 0; i < SESSIONS; i++) {
      const peer = await dial(t, endpoint);
      await peer.hears("bye\n");
      peer.end();
    }
    await server.count(SESSIONS, { event: "close", exit: 3 });
    const seen = new Set<string>();
    await until(() => `all of them to have been there: ${[...seen]}`, () => {
      for (const name of zombies(first!)) seen.add(name);
      return seen.size >= SESSIONS;
    });
    await until(() => `no zombie, but ${zombies(first!)}`, () => zombies(first!).length === 0);
    assert.deepEqual(server.all({ level: "error" }), []);
    sendSignal(first!, "SIGTERM");
    assert.equal(await server.ended(), 0);
  });
}
