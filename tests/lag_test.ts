import assert from "node:assert/strict";
import { test } from "node:test";
import { newDelays } from "../runtime/core/statistics.ts";
import { Lag } from "../runtime/metrics/lag.ts";
import { until } from "./support/until.ts";

const sum = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test("a timer that comes late is counted by how late it came", async () => {
  const delays = newDelays();
  const lag = new Lag(delays);
  lag.start();
  block(400);
  await until("the first look", () => sum(delays.buckets) > 0);
  assert.ok(delays.seconds >= 0.29 && delays.seconds < 5, `${delays.seconds} s`);
  // Above 0.25 s.
  assert.equal(sum(delays.buckets.slice(7)), 1);
  await until("the next look", () => sum(delays.buckets) > 1);
  lag.close();
});

test("one that need not go on looks once more, until it is started again", async () => {
  const delays = newDelays();
  let asked = 0;
  const lag = new Lag(delays, () => {
    asked++;
    return false;
  });
  lag.start();
  lag.start();
  await until("the look", () => asked === 1);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual([asked, sum(delays.buckets)], [1, 1]);
  lag.start();
  await until("another look", () => asked === 2);
  lag.close();
});
