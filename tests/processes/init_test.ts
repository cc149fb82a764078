/** A server as process 1, as in a container: what its programs leave behind is reaped, and only that. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { folder } from "../support/folder.ts";
import { dial } from "../support/peers.ts";
import { children, sendSignal } from "../support/proc.ts";
import { manifest, startServer } from "../support/server-process.ts";
import { lackingStrategy } from "../support/strategies.ts";
import { until } from "../support/until.ts";

const UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"] as const;
const SESSIONS = 20;

function lackingUnshare(): string | false {
  const [program, ...words] = UNSHARE;
  const { status, stderr } = spawnSync(program, [...words, "true"], { encoding: "utf8" });
  return status !== 0 && `no process can be the first of its namespace: ${stderr ?? program}`;
}

/** What runs a shell, of the children of a process. */
function shells(parent: number): number[] {
  return children(parent).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, "latin1").trim() === "sh";
    } catch {
      // Gone since.
      return false;
    }
  });
}

const lacking = lackingUnshare();

for (const strategy of ["async", "threads", "processes"] as const) {
  test(`${strategy}: process 1 reaps what programs leave behind, and hears how these have ended`, {
    skip: lacking || lackingStrategy(strategy),
  }, async (t) => {
    // Each session leaves a job behind that outlives it: until it is given a line.
    const home = folder(t, {});
    const gate = join(home, "gate");
    execFileSync("mkfifo", [gate]);
    // For both: so nobody waits for the other end to be opened.
    const lines = openSync(gate, "r+");
    t.after(() => closeSync(lines));
    const exec = {
      plugin: "exec",
      listen: "tcp://127.0.0.1:0",
      concurrency: strategy,
      options: {
        command: ["sh", "-c", `read -r line <'${gate}' >/dev/null 2>&1 & echo bye; exit 3`],
      },
    };
    writeFileSync(join(home, "portico.json"), manifest({ exec }));
    const server = await startServer(t, home, { through: UNSHARE });
    const [first] = children(server.pid);
    const endpoint = server.endpoint("exec", "tcp");
    for (let i = 0; i < SESSIONS; i++) {
      const peer = await dial(t, endpoint);
      await peer.hears("bye\n");
      peer.end();
    }
    await server.count(SESSIONS, { event: "close", exit: 3 });
    await until(
      () => `process 1 to inherit ${SESSIONS} jobs: ${shells(first!)}`,
      () => shells(first!).length >= SESSIONS,
    );
    const jobs = shells(first!);
    writeSync(lines, "\n".repeat(SESSIONS));
    // A child that has ended and that nobody has waited for would still be there.
    const left = (): number[] => jobs.filter((pid) => existsSync(`/proc/${pid}`));
    await until(() => `no job, but ${left()}`, () => left().length === 0);
    assert.deepEqual(server.all({ level: "error" }), []);
    sendSignal(first!, "SIGTERM");
    assert.equal(await server.ended(), 0);
  });
}
