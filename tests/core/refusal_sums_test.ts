/** `refuse` records of one source that come too often are summed up, and nothing is lost. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { open, type TestedService } from "portico/testing";
import { definePlugin } from "portico";
import echo from "../../plugins/echo.ts";
import type { LogRecord } from "../../runtime/core/record.ts";
import { RefusalSums } from "../../runtime/core/refusal-sums.ts";
import { SYSTEM_CLOCK } from "../../runtime/core/clock.ts";

const refusals = ({ records }: TestedService): LogRecord[] =>
  records.filter(({ event }) => event === "refuse");

/** What they stand for. */
const sumOf = (records: readonly LogRecord[]): number =>
  records.reduce((sum, { count = 1 }) => sum + Number(count), 0);

describe("records of refusals", () => {
  for (const strategy of ["async", "threads", "spawn"] as const) {
    test(`the first of one source one by one, then one every 10 s that counts, under ${strategy}`, async () => {
      await using service = await open(echo, {
        limits: { sessions: 1, refuseRecords: "1/s burst 3" },
        strategy,
      });
      const first = service.connect({ from: "192.0.2.1" });
      first.send("x");
      await first.expect("x");
      for (let i = 0; i < 50; i++) service.connect({ from: "192.0.2.1" });
      for (let i = 0; i < 2; i++) service.connect({ from: "192.0.2.2" });
      await service.settle();
      assert.equal(refusals(service).length, 5);
      await service.clock.advance("9s");
      assert.equal(refusals(service).length, 5);
      await service.clock.advance("1s");
      const [sum, ...more] = refusals(service).slice(5);
      assert.deepEqual(more, []);
      const { time: _, local: _local, remote, ...rest } = sum!;
      assert.match(String(remote), /^tcp:\/\/192\.0\.2\.1:\d+$/);
      assert.deepEqual(rest, {
        level: "warn",
        event: "refuse",
        service: "echo",
        limit: "sessions",
        count: 47,
      });
      assert.equal(sumOf(refusals(service)), service.status.refused);
      // The bucket has filled meanwhile, and nothing is told that was told already.
      await service.clock.advance("20s");
      service.connect({ from: "192.0.2.1" });
      await service.settle();
      assert.equal(refusals(service).length, 7);
    });

    test(`those that verify refuses, and what is pending when the service stops, under ${strategy}`, async () => {
      const plugin = definePlugin({
        name: "test",
        transports: ["stream"],
        start: () => ({ verify: () => false, data() {} }),
      });
      await using service = await open(plugin, {
        limits: { refuseRecords: "1/s burst 3" },
        strategy,
      });
      for (let i = 0; i < 20; i++) service.connect();
      await service.settle();
      assert.equal(refusals(service).length, 3);
      await service.stop();
      assert.equal(refusals(service).length, 4);
      assert.deepEqual(refusals(service).map(({ count }) => count), [...Array(3), 17]);
      assert.ok(refusals(service).every(({ rule }) => rule === "verify"));
      assert.equal(sumOf(refusals(service)), 20);
    });
  }

  test("datagrams and requests, and each cause for itself", async () => {
    await using service = await open(echo, {
      limits: { bytes: { in: 10 }, datagramRate: "1/s burst 100", refuseRecords: "1/m burst 2" },
    });
    const peer = service.connect({ transport: "udp", from: "192.0.2.1" });
    for (let i = 0; i < 5; i++) peer.send("x".repeat(11));
    for (let i = 0; i < 110; i++) peer.send("x");
    await peer.read();
    await service.clock.advance("10s");
    const summed = refusals(service).filter(({ count }) => count !== undefined);
    assert.equal(sumOf(refusals(service)), 15);
    assert.equal(service.status.refused, 15);
    const causes = Object.groupBy(summed, ({ limit }) => String(limit));
    assert.deepEqual(Object.keys(causes).sort(), ["bytes", "datagramRate"]);
  });

  test("a /64 of IPv6 is one source", async () => {
    await using service = await open(echo, {
      limits: { perSource: 1, refuseRecords: "1/m burst 1" },
    });
    service.connect({ from: "[2001:db8::1]:1" });
    for (let i = 0; i < 9; i++) service.connect({ from: `[2001:db8::${i + 2}]:1` });
    await service.settle();
    assert.equal(refusals(service).length, 1);
    await service.clock.advance("10s");
    assert.equal(sumOf(refusals(service)), 9);
  });

  test("none lifts it", async () => {
    await using service = await open(echo, { limits: { rate: "1/h", refuseRecords: "none" } });
    for (let i = 0; i < 301; i++) service.connect();
    await service.settle();
    assert.equal(refusals(service).length, 300);
  });

  test("200 of one source are told one by one when the manifest is silent", async () => {
    await using service = await open(echo, { limits: { rate: "1/h" } });
    for (let i = 0; i < 301; i++) service.connect();
    await service.settle();
    assert.equal(refusals(service).length, 200);
    await service.clock.advance("10s");
    assert.equal(sumOf(refusals(service)), 300);
  });

  test("many sources: a bounded number of records, in bounded memory, and none is lost", () => {
    let now = 0;
    const told: LogRecord[] = [];
    const clock = { ...SYSTEM_CLOCK, now: () => now, setTimeout: () => 0 as never, clear() {} };
    const sums = new RefusalSums(
      { count: 1, per: 1000, burst: 200 },
      { ipv4: 32, ipv6: 64 },
      clock,
      (record) => told.push(record),
    );
    let written = 0;
    const attackers = 200_000;
    for (let i = 0; i < attackers; i++) {
      now = i / 100;
      const remote = `udp://10.${i >> 16}.${i >> 8 & 255}.${i & 255}:7`;
      const record = {
        time: 0,
        level: "warn",
        event: "refuse",
        service: "a",
        remote,
        limit: "rate",
      };
      if (!sums.takes(record as LogRecord)) written++;
    }
    sums.flush();
    // 2 s: what may be at once, and 100 a second.
    assert.ok(written <= 1201, `${written} one by one`);
    assert.equal(told.length, 1);
    assert.equal(told[0]!["remote"], undefined);
    assert.equal(written + sumOf(told), attackers);
  });
});
