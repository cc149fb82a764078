/** `resources` and `ioprio` of a manifest: what they come to, and what is wrong with them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../../runtime/manifest/load.ts";
import { folder } from "../support/folder.ts";
import { expand } from "../support/manifest.ts";
import { blockOf, service } from "./errors.ts";

const written = (entries: string): Record<string, string> => ({
  "portico.json": service(`"concurrency": "processes", ${entries}`),
});

test("resources and ioprio come to numbers", async (t) => {
  const home = folder(
    t,
    written(
      `"ioprio": "best-effort:6", "resources": { "memory": "256MiB", "cpu": "90s", "files": 128, "core": 0,
        "total": { "memory": "1GiB", "cpu": "150%", "processes": 200 } }`,
    ),
  );
  const { processes } = expand(await load(home)).services[0]!;
  assert.deepEqual(processes, {
    env: {},
    ioprio: 2 << 13 | 6,
    resources: {
      memory: 256 * 1024 ** 2,
      cpu: 90_000,
      files: 128,
      core: 0,
      total: { memory: 1024 ** 3, cpu: 1.5, processes: 200 },
    },
  });
  for (
    const [text, number] of [["idle", 3 << 13], ["realtime:0", 1 << 13], [
      "best-effort",
      2 << 13 | 4,
    ]] as const
  ) {
    const home = folder(t, written(`"ioprio": "${text}"`));
    assert.equal(expand(await load(home)).services[0]!.processes.ioprio, number);
  }
});

const WRONG: readonly (readonly [entries: string, block: RegExp])[] = [
  [`"resources": { "memory": 0 }`, /echo\.resources\.memory\n +received +0\n +expected +a size/],
  [`"resources": { "memory": "none" }`, /echo\.resources\.memory/],
  [`"resources": { "cpu": "0s" }`, /echo\.resources\.cpu\n.*\n +expected +a duration above 0/],
  [`"resources": { "files": 3 }`, /echo\.resources\.files\n.*\n.*from 64 up: a runtime needs some/],
  [`"resources": { "processes": 0 }`, /echo\.resources\.processes\n.*\n.*a whole number above 0/],
  [
    `"resources": { "file": 99 }`,
    /unknown key "file"[^]*memory, cpu, files, processes, core[^]*"files"/,
  ],
  [`"resources": { "total": { "cpu": 1.5 } }`, /resources\.total\.cpu\n.*\n.*"50%", or of several/],
  [`"resources": { "total": { "cpu": "0%" } }`, /resources\.total\.cpu\n.*\n.*a share of one CPU/],
  [`"resources": { "total": { "files": 9 } }`, /unknown key "files"[^]*memory, cpu, processes/],
  [`"resources": { "total": 5 }`, /resources\.total\n.*\n.*an object of limits/],
  [`"resources": "512MB"`, /echo\.resources\n.*\n +expected +an object of limits/],
  [`"ioprio": "best-effort:8"`, /echo\.ioprio\n.*\n.*"best-effort:7", which is the least/],
  [`"ioprio": 7`, /echo\.ioprio\n.*\n.*"idle"/],
];
for (const [entries, block] of WRONG) {
  test(`${entries} is an error`, async (t) => {
    assert.match(await blockOf(t, written(entries)), block);
  });
}

test("services without processes have neither", async (t) => {
  const of = (entries: string) => blockOf(t, { "portico.json": service(entries) });
  assert.match(
    await of(`"resources": { "files": 100 }`),
    /runs inside the server, cannot have limits of its own: use processes or spawn/,
  );
  assert.match(
    await of(`"concurrency": "threads", "ioprio": "idle"`),
    /a thread cannot have a priority of I\/O of its own/,
  );
});

test("what only root may have is not for a server that becomes somebody else", async (t) => {
  const text = `{ "user": "nobody", "services": { "echo": { "plugin": "echo",
    "listen": "tcp://127.0.0.1:7007", "concurrency": "spawn", "ioprio": "realtime:0" } } }`;
  assert.match(
    await blockOf(t, { "portico.json": text }),
    /echo\.ioprio\n.*"realtime" beside "nobody"/,
  );
});
