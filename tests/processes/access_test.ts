/** Rules of a server that runs: files of them, and a reload that finds them changed, wrong or gone. */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ManagedServer, TCP } from "../support/managed-server.ts";
import { askOnce, dial } from "../support/peers.ts";
import type { Scope } from "../support/scope.ts";

/** Somebody comes, and is turned away without a byte. */
async function refused(scope: Scope, endpoint: string): Promise<void> {
  const peer = await dial(scope, endpoint);
  await peer.over();
  assert.equal(peer.text, "");
}

const STRATEGIES = ["async", { strategy: "processes", workers: 1 }] as const;

for (const concurrency of STRATEGIES) {
  const name = typeof concurrency === "string" ? concurrency : concurrency.strategy;
  test(`a file of rules is read anew by a reload, and one that is wrong or gone changes nothing (${name})`, async (t) => {
    const services = {
      s: { plugin: "echo", listen: TCP, concurrency, access: { deny: ["file:deny.txt"] } },
    };
    const managed = ManagedServer.prepare(t, services);
    const file = join(managed.home, "deny.txt");
    writeFileSync(file, "# nobody yet\n192.0.2.0/24\n");
    await managed.startAs({});
    const endpoint = await managed.endpoint("s", "tcp");
    const stays = await dial(t, endpoint);
    await stays.echo("let in before");

    writeFileSync(file, "\n127.0.0.0/8 # all of us\n");
    assert.deepEqual((await managed.reload()).changed, ["s"]);
    await refused(t, endpoint);
    const { rule, place } = await managed.process.record({ event: "refuse" });
    assert.deepEqual([rule, place], ["deny 127.0.0.0/8", "deny.txt:2"]);
    // Who is in stays in.
    await stays.echo("still there");

    const wrongs: readonly (readonly [() => void, RegExp])[] = [
      [() => writeFileSync(file, "127.0.0.0/8\n10.0.0.0/33\n"), /"10\.0\.0\.0\/33" at deny\.txt:2/],
      [() => rmSync(file), /deny\[0\]\n {2}received {2}"file:deny\.txt"\n[^]*ENOENT/],
    ];
    for (const [break_, why] of wrongs) {
      break_();
      await assert.rejects(managed.reload(), why);
      // The rules are as they were.
      await refused(t, endpoint);
    }

    writeFileSync(file, "");
    assert.deepEqual((await managed.reload()).changed, ["s"]);
    assert.equal(await askOnce(t, endpoint, "served"), "served");
    await stays.echo("all the time");
  });
}

test("run --watch reads files of rules anew, those of groups too; what is gone changes nothing", async (t) => {
  const services = { s: { plugin: "echo", listen: TCP, access: { deny: ["@bad"] } } };
  const managed = ManagedServer.prepare(t, services, { groups: { bad: ["file:deny.txt"] } });
  const file = join(managed.home, "deny.txt");
  writeFileSync(file, "192.0.2.0/24\n");
  await managed.start(managed.home, "--watch");
  const endpoint = await managed.endpoint("s", "tcp");
  assert.equal(await askOnce(t, endpoint, "served"), "served");
  const { process } = managed;

  writeFileSync(file, "127.0.0.0/8\n");
  await process.record({ event: "reload", changed: ["s"] });
  await refused(t, endpoint);
  const { rule, place } = await process.record({ event: "refuse" });
  assert.deepEqual([rule, place], ["deny @bad 127.0.0.0/8", "deny.txt:1"]);

  rmSync(file);
  const { message } = await process.record({ event: "error", during: "reload" });
  assert.match(String(message), /file:deny\.txt.*ENOENT/s);
  await refused(t, endpoint);

  writeFileSync(file, "192.0.2.0/24\n");
  await process.count(2, { event: "reload", changed: ["s"] });
  assert.equal(await askOnce(t, endpoint, "served"), "served");
});
