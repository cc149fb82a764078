/** A refusal: the same record, the same counts, and nothing else, whatever the reason. */
import assert from "node:assert/strict";
import process from "node:process";
import type { Call } from "../calls.ts";
import { ADDRESSED, type Case } from "../case.ts";
import type { Stage } from "../stage.ts";
import type { JsonRecord } from "../support.ts";
import { addressOf, fits } from "./sights.ts";

type Why = { readonly rule: string } | { readonly limit: string };

/** Rules that stand nowhere in a manifest. */
const PLACELESS: ReadonlySet<string> = new Set(["verify", "ban"]);

/** Looks at the one refusal that there was: its record, its client, the counts. */
async function check(stage: Stage, call: Call, why: Why, status: number): Promise<void> {
  const [record] = await stage.records("refuse", 1);
  const { time: _, session, remote, local, place, ...rest } = record!;
  if (place !== undefined || "rule" in why && !PLACELESS.has(why.rule)) {
    assert.match(String(place), /^portico\.json:\d+:\d+$/);
  }
  const request = { method: "GET", path: "/echo%20refused" };
  assert.deepEqual(rest, {
    // A limit that turns somebody away is a warning.
    level: "limit" in why ? "warn" : stage.kind === "datagram" ? "debug" : "info",
    event: "refuse",
    service: stage.name,
    ...(stage.kind === "http" && request),
    // Who was asked who it is, is named.
    ...("rule" in why && why.rule.includes("uid:") && {
      uid: process.getuid!(),
      gid: process.getgid!(),
      pid: process.pid,
    }),
    ...why,
  });
  assert.ok(Number.isSafeInteger(session) && session! > 0, `the session ${session}`);
  fits(remote, call.name);
  assert.equal(addressOf(local as string), addressOf(await stage.endpoint()));
  await call.refused(status);
  const tallied = { ["rule" in why ? why.rule : why.limit]: 1 };
  await stage.until({ refused: 1, tallied });
}

/** Nothing but its refusal was recorded, and service goes on. */
async function goesOn(stage: Stage, served: number): Promise<void> {
  assert.equal(await stage.ask("echo after"), "after");
  await stage.idle({ served: served + 1, refused: 1, errors: 0 });
  await stage.records("refuse", 1);
  await stage.records("open", served + 1);
  await stage.records("close", served + 1);
  const { session } = stage.all({ event: "refuse" })[0]!;
  assert.deepEqual(stage.all({ session }).map(({ event }) => event), ["refuse"]);
}

/** One who comes while another is served is refused. */
async function refusedBeside(stage: Stage, limit: string, status: number): Promise<void> {
  const first = await stage.occupy("a");
  await check(stage, await stage.call("echo refused"), { limit }, status);
  stage.mark("a");
  assert.equal(await first.done(), "a");
  await stage.idle();
}

export const REFUSALS: readonly Case[] = [
  {
    name: "refused by an address rule",
    transports: ADDRESSED,
    needs: "addresses",
    access: { deny: ["127.0.0.2"] },
    async run(stage: Stage) {
      const call = await stage.call("echo refused", { from: "127.0.0.2" });
      await check(stage, call, { rule: "deny 127.0.0.2" }, 403);
      await goesOn(stage, 0);
    },
  },
  {
    name: "refused by a rule about a user of this machine",
    transports: ["unix"],
    needs: "users",
    access: { allow: ["uid:4294967294"], deny: [`uid:${process.getuid?.()}`] },
    async run(stage: Stage) {
      const call = await stage.call("echo refused");
      await check(stage, call, { rule: `deny uid:${process.getuid!()}` }, 403);
    },
  },
  {
    name: "served by a range inside of a prefix that is denied",
    transports: ADDRESSED,
    needs: "addresses",
    access: { deny: ["127.0.0.0/24"], allow: ["127.0.0.2-127.0.0.3"] },
    async run(stage: Stage) {
      const call = await stage.call("echo refused", { from: "127.0.0.4" });
      await check(stage, call, { rule: "deny 127.0.0.0/24" }, 403);
      const served = await stage.call("echo served", { from: "127.0.0.3" });
      assert.equal(await served.done(), "served");
      await stage.idle({ served: 1, refused: 1 });
    },
  },
  {
    name: "refused by a ban, whatever the rules say",
    transports: ADDRESSED,
    needs: "addresses",
    access: { deny: ["127.0.0.77"] },
    async run(stage: Stage) {
      // Nobody else of all the cases has this address.
      await stage.ban("127.0.0.77");
      const call = await stage.call("echo refused", { from: "127.0.0.77" });
      await check(stage, call, { rule: "ban" }, 403);
      await goesOn(stage, 0);
    },
  },
  {
    name: "refused by limits.sessions",
    limits: { sessions: 1 },
    async run(stage: Stage) {
      await refusedBeside(stage, "sessions", 503);
      await goesOn(stage, 1);
    },
  },
  {
    name: "refused by limits.perSource; another source is not",
    transports: ADDRESSED,
    needs: "addresses",
    limits: { perSource: 1 },
    async run(stage: Stage) {
      const first = await stage.occupy("a", { from: "127.0.0.2" });
      const call = await stage.call("echo refused", { from: "127.0.0.2" });
      await check(stage, call, { limit: "perSource" }, 429);
      const other = await stage.call("echo other", { from: "127.0.0.3" });
      await stage.until({ live: 2, held: 1 });
      stage.mark("a");
      assert.equal(await first.done(), "a");
      assert.equal(await other.done(), "other");
      await stage.idle();
      await goesOn(stage, 2);
    },
  },
  {
    name: "refused by limits.perSource, of one user over a Unix socket",
    transports: ["unix"],
    needs: "users",
    limits: { perSource: 1 },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const call = await stage.call("echo refused");
      const [{ limit, uid }] = await stage.records("refuse", 1) as [JsonRecord];
      assert.deepEqual([limit, uid], ["perSource", process.getuid!()]);
      await call.refused(429);
      stage.mark("a");
      assert.equal(await first.done(), "a");
      await stage.idle({ served: 1, refused: 1 });
    },
  },
  {
    name: "refused by limits.ratePerSource; another source is not",
    transports: ADDRESSED,
    needs: "addresses",
    limits: { ratePerSource: "2/h burst 1" },
    async run(stage: Stage) {
      const first = await stage.call("echo first", { from: "127.0.0.2" });
      assert.equal(await first.done(), "first");
      await stage.idle();
      const call = await stage.call("echo refused", { from: "127.0.0.2" });
      await check(stage, call, { limit: "ratePerSource" }, 429);
      const other = await stage.call("echo other", { from: "127.0.0.3" });
      assert.equal(await other.done(), "other");
      await goesOn(stage, 2);
    },
  },
  {
    name: "refused by limits.rate; who leaves gives no rate back",
    limits: { rate: "1/h" },
    async run(stage: Stage) {
      assert.equal(await stage.ask("echo first"), "first");
      await stage.idle();
      await check(stage, await stage.call("echo refused"), { limit: "rate" }, 429);
      await stage.idle({ served: 1, refused: 1, errors: 0 });
    },
  },
  {
    name: "refused by limits.hold",
    limits: { hold: "100ms" },
    async run(stage: Stage) {
      await refusedBeside(stage, "hold", 503);
      await goesOn(stage, 1);
    },
  },
  {
    name: "refused by verify; place and turn are given back",
    limits: { sessions: 2 },
    async run(stage: Stage) {
      stage.mark("verify.refuses");
      await check(stage, await stage.call("echo refused"), { rule: "verify" }, 403);
      await stage.idle({ served: 0 });
      stage.unmark("verify.refuses");
      await goesOn(stage, 0);
      await stage.traces("setup", stage.kind === "http" ? 0 : 1);
      await stage.refill(2);
    },
  },
];
