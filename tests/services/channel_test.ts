/** What a supervisor and a worker tell each other arrives as it was said. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodePlan, encodePlan } from "../../runtime/workers/messages.ts";
import { Channel } from "../../runtime/workers/channel.ts";
import type { ServicePlan } from "../../runtime/core/plan.ts";
import { adapter, lackingFeature } from "../support/adapter.ts";
import { until, within } from "../support/until.ts";

interface Message {
  readonly text: unknown;
  readonly bytes?: Uint8Array;
}

const SPECIAL = '\0 \u0001 é 🜚 \ud800 \u2028 "\\';

test("messages arrive whole, with bytes of any value beside them", {
  skip: lackingFeature("descriptors"),
}, async () => {
  const descriptors = await adapter.descriptors();
  const [ours, theirs] = descriptors.pair();
  const received: Message[] = [];
  let closed = 0;
  const reader = new Channel<Message, Message>((message) => received.push(message), () => closed++);
  const writer = new Channel<Message, Message>(() => {}, () => closed++);
  await reader.open(descriptors, theirs);
  await writer.open(descriptors, ours);
  const large = Uint8Array.from({ length: 300_000 }, (_, i) => i);
  const messages: Message[] = [
    { text: null },
    { text: SPECIAL, bytes: new Uint8Array() },
    { text: [], bytes: Uint8Array.of(0, 0, 123, 0) },
    { text: SPECIAL.repeat(10_000), bytes: large },
    { text: { [SPECIAL]: [1.5, true, {}] } },
    { text: 2 ** 53, bytes: large.subarray(7, 1000) },
  ];
  for (const message of messages) {
    writer.send(message);
    // Some share a write, some do not.
    if (message.text === null) writer.flush();
  }
  await until("the messages", () => received.length === messages.length);
  assert.deepEqual(received, messages);
  assert.equal(received[3]!.bytes!.byteOffset, 0, "bytes are the receiver's own");
  writer.end();
  await until("the end", () => closed === 2);
});

test("one that is given up while it opens closes, though its other end stays open", {
  skip: lackingFeature("descriptors"),
}, async () => {
  const descriptors = await adapter.descriptors();
  const [ours, theirs] = descriptors.pair();
  const closed = Promise.withResolvers<void>();
  const channel = new Channel<Message, Message>(() => {}, () => closed.resolve());
  const opening = channel.open(descriptors, ours);
  channel.abort();
  await opening;
  await within("its close", closed.promise);
  descriptors.close(theirs);
});

test("the options of a plan arrive though JSON does not have them", () => {
  const circle: Record<string, unknown> = { date: new Date(5), map: new Map([[1, new Set([2n])]]) };
  circle["self"] = circle;
  const plan = { name: "a", limits: { idle: Infinity }, options: circle, log: [{}] };
  const bytes = encodePlan(plan as unknown as ServicePlan);
  assert.deepEqual(decodePlan(bytes), { ...plan, log: [] });
  assert.equal(encodePlan(plan as unknown as ServicePlan), bytes, "it is made once");
  const bad = { ...plan, options: { f() {} } } as unknown as ServicePlan;
  assert.throws(() => encodePlan(bad));
});
