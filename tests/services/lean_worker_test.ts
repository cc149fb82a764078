/** What a process loads that serves one session, and that nothing is lost by what it does without. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { dirname, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ipFamily } from "../../runtime/core/ip.ts";
import { importSound } from "../../runtime/modules/sound.ts";

const root = fileURLToPath(new URL("../..", import.meta.url).href);

/** All that a module imports before it runs: our files and the runtime's modules. */
function graphOf(entry: string): ReadonlySet<string> {
  const found = new Set<string>();
  const waiting = [resolve(root, entry)];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    const text = readFileSync(file, "utf8");
    for (const [, specifier] of text.matchAll(/^(?:import|export)(?! type)[^;]*? from "(.+)";/gm)) {
      if (specifier!.startsWith(".")) waiting.push(resolve(dirname(file), specifier!));
      else found.add(specifier!);
    }
  }
  return found;
}

test("a worker's process loads neither files, sockets nor threads of node: before it serves", () => {
  const entries = ["runtime/workers/process.ts", "adapters/session-adapter.ts"];
  const dear = ["fs", "net", "worker_threads", "child_process"].map((name) => `node:${name}`);
  for (const entry of entries) {
    const graph = graphOf(entry);
    assert.ok(graph.size > 5, `${entry} imports something`);
    assert.deepEqual(dear.filter((name) => graph.has(name)), [], entry);
  }
  const graph = graphOf(entries[0]!);
  for (const part of ["core/outgoing", "core/listening", "modules/plugin", "datagram/pipeline"]) {
    assert.deepEqual([...graph].filter((file) => file.endsWith(`${part}.ts`)), [], part);
  }
});

test("what is an IP address is one for node:net, too", () => {
  const texts = [
    "::",
    "::1",
    "1::",
    "fe80::1%eth0",
    "fe80::1%",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7::",
  ];
  const odd = ["1:2:3:4:5:6:7:8:9", "::1::", ":::", ":1", "1:", "12345::", "g::", "", "1.2.3.4"];
  const dotted = ["::ffff:1.2.3.4", "::1.2.3.256", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4"];
  for (const text of [...texts, ...odd, ...dotted, "1.2.3.4::", "::1.2.3.4:1", "fe80::1%a/b"]) {
    assert.equal(ipFamily(text), isIP(text), JSON.stringify(text));
  }
});

test("a sound plugin is imported as it is; whatever else is left to those who can say why", async () => {
  const url = (file: string): string => pathToFileURL(resolve(root, file)).href;
  assert.equal((await importSound(url("bench/portico/push.ts")))?.name, "push");
  assert.equal((await importSound(url("plugins/echo.ts")))?.name, "echo");
  for (const other of ["runtime/core/record.ts", "there/is/none.ts"]) {
    assert.equal(await importSound(url(other)), undefined, other);
  }
  assert.equal(await importSound("npm:some-plugin"), undefined);
});
