/**
 * What a client, a handler, a record or a counter sees never tells which strategy serves: every case,
 * under every strategy, over every transport, with one expectation.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { after, test } from "node:test";
import { type Case, skips, transportsOf } from "./case.ts";
import { CASES } from "./cases/mod.ts";
import { closeHouse, Group } from "./group.ts";
import { children, gone, lackingStrategy, STRATEGY_NAMES, type StrategyName } from "./support.ts";

function register(kase: Case, strategy: StrategyName, at: number): void {
  const transports = transportsOf(kase, strategy, at);
  const run = transports.filter((transport) => skips(kase, strategy, transport) === false);
  const group = new Group(kase, strategy, run);
  for (const transport of transports) {
    const skip = skips(kase, strategy, transport);
    test(`${kase.name}: ${strategy}, ${transport}`, { skip }, () => group.run(transport));
  }
}

/** All cases under one strategy: a file for each, so that none makes a run long. */
export function rowsOf(strategy: StrategyName): void {
  after(() => closeHouse(strategy));

  const row = STRATEGY_NAMES.indexOf(strategy);
  for (const [at, kase] of CASES.entries()) register(kase, strategy, row + at);

  test(`a server that has served all this ends, and leaves nothing: ${strategy}, all`, {
    skip: lackingStrategy(strategy),
  }, () =>
    closeHouse(strategy, async ({ server, site }) => {
      const workers = children(server.pid);
      server.signal("SIGTERM");
      assert.equal(await server.ended(), 0);
      await gone(workers);
      const left = readdirSync(site.home).filter((name) => name.endsWith(".sock"));
      assert.deepEqual(left, []);
      assert.ok(!existsSync(site.control), "the control socket is left");
      assert.equal(server.errors, "");
    }));
}
