/** The last ten minutes that the dashboard shows: bounded, and right at the seams. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { History } from "../plugins/admin/history.ts";
import type { Operator } from "../runtime/mod.ts";

/** A server whose figures the test sets. */
function stand() {
  const delays = { buckets: [0, 0], seconds: 0 };
  const tally = { delays: { buckets: [0, 0], seconds: 0 }, durations: [0, 0] };
  const service = { service: "echo", live: 0, served: 0, bytesIn: 0, bytesOut: 0, tally };
  const services = [service];
  const operator = {
    bounds: { delays: [0.01], durations: [0.01] },
    delays: () => delays,
    control: { status: () => ({ services }) },
  } as unknown as Operator;
  return { services, service, delays, history: new History(operator, 4) };
}

test("rates are the growth since the sample before, and the first one has none", () => {
  const { service, delays, history } = stand();
  history.sample(1000);
  Object.assign(service, { live: 3, served: 10, bytesIn: 100, bytesOut: 300 });
  delays.buckets[0] = 4;
  delays.seconds = 0.02;
  history.sample(3000);
  const { times, server, services } = history.since(0);
  assert.deepEqual(times, [1000, 3000]);
  assert.deepEqual(server.delayMs, [null, 5]);
  const { live, acceptedPerSecond, bytesPerSecond, delayMs } = services["echo"]!;
  assert.deepEqual({ live, acceptedPerSecond, bytesPerSecond, delayMs }, {
    live: [0, 3],
    acceptedPerSecond: [null, 5],
    bytesPerSecond: [null, 200],
    delayMs: [null, null],
  });
});

test("so many samples are kept and no more, in their order; who has some asks for those after", () => {
  const { service, history } = stand();
  for (let i = 1; i <= 10; i++) {
    service.live = i;
    history.sample(i * 1000);
  }
  assert.deepEqual(history.since(0).times, [7000, 8000, 9000, 10_000]);
  assert.deepEqual(history.since(0).services["echo"]!.live, [7, 8, 9, 10]);
  assert.deepEqual(history.since(9000).services["echo"]!.live, [10]);
  assert.deepEqual(history.since(10_000).times, []);
});

test("a service that goes is forgotten, and one that comes begins with nothing", () => {
  const { services, service, history } = stand();
  history.sample(1000);
  services.push({ ...service, service: "new", live: 1 });
  history.sample(2000);
  assert.deepEqual(history.since(0).services["new"]!.live, [null, 1]);
  services.shift();
  history.sample(3000);
  assert.deepEqual(Object.keys(history.since(0).services), ["new"]);
});

test("a counter that goes back is no negative rate", () => {
  const { service, history } = stand();
  service.served = 5;
  history.sample(1000);
  service.served = 0;
  history.sample(2000);
  assert.deepEqual(history.since(0).services["echo"]!.acceptedPerSecond, [null, 0]);
});
