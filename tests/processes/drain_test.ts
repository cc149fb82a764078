/** The end of a server that is used: what was begun comes to its end, and nothing is left. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Generator } from "../../bench/churn/client.ts";
import { lackingTransport } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { dial, knock, openDatagrams } from "../support/peers.ts";
import { controlled, probe } from "../support/probe.ts";
import { children, gone } from "../support/proc.ts";
import { startServer } from "../support/server-process.ts";
import { lackingStrategy, STRATEGIES } from "../support/strategies.ts";

const BYTES = 4096;

for (const strategy of STRATEGIES) {
  test(`${strategy}: SIGTERM under load ends no session early, and leaves nothing`, {
    skip: lackingStrategy(strategy) || lackingTransport("unixgram"),
  }, async (t) => {
    const spawn = strategy === "spawn";
    const concurrency = spawn ? { strategy, max: 4 } : strategy;
    const listen = ["tcp://127.0.0.1:0", "unix:./stream", "unixgram:./gram"];
    const home = folder(t, controlled({ one: probe(concurrency, { form: "push" }, { listen }) }));
    const server = await startServer(t, home);
    const endpoint = server.endpoint("one", "tcp");
    // One that is alone would keep all others out.
    const stays = strategy === "serial" ? undefined : await dial(t, server.endpoint("one", "unix"));
    await stays?.echo("before");
    const sender = await openDatagrams(t, "unixgram");
    await sender.ask("before", server.endpoint("one", "unixgram"));
    const generator = new Generator();
    t.after(() => generator.close());
    const load = await generator.short({
      endpoint,
      concurrency: spawn ? 4 : 16,
      rate: spawn ? 20 : 400,
      bytes: BYTES,
    });
    await load.reached(spawn ? 10 : 200);
    const workers = children(server.pid);
    server.signal("SIGTERM");
    if (stays !== undefined) {
      await server.record({ event: "drain" });
      await stays.echo("-after");
      stays.end();
    }
    assert.equal(await server.ended(), 0);
    const report = await load.stop();
    const opens = new Set(
      server.all({ event: "open", remote: /^tcp:/ }).map(({ session }) => session),
    );
    const closes = server.all({ event: "close" }).filter(({ session }) => opens.has(session));
    assert.equal(closes.length, opens.size, "every session has ended");
    const whole = closes.filter(({ bytesIn, bytesOut }) => bytesIn === BYTES && bytesOut === BYTES);
    assert.equal(whole.length, closes.length, "every session is whole");
    assert.equal(report.completed, whole.length, JSON.stringify(report));
    // Who still waited for a turn, or in the kernel's queue, was no session yet.
    assert.deepEqual([report.timedOut, report.wrong], [0, 0]);
    await gone(workers);
    assert.equal(await knock(endpoint), "ECONNREFUSED");
    for (const name of ["stream", "gram", "control.sock"]) {
      assert.equal(existsSync(join(home, name)), false, `${name} is left`);
    }
    await generator.close();
  });
}
