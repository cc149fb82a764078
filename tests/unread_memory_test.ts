/** Memory of what peers were to be sent that do not read, when they have gone: collectors come late by themselves. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { collectGarbage } from "./support/adapter.ts";
import { startHooks } from "./support/in-process.ts";
import { dial } from "./support/peers.ts";
import { until } from "./support/until.ts";

const MIB = 1024 * 1024;
const PEERS = 30;
/** More than the kernel takes for one of them. */
const MUCH = 8 * MIB;

/** Long before they come by themselves, in ms. */
const SOON = 12_000;

/** Outside of the heap; `arrayBuffers` is 0 on Deno. */
const held = (): number => process.memoryUsage().external;

test("after a crowd that has read nothing its bytes are let go", async (t) => {
  // Files share a process here, and a collection waits for as much as is worth one in their heap.
  collectGarbage();
  const server = await startHooks(t, {
    async handle(session) {
      await session.send(new Uint8Array(MUCH));
    },
  });
  const endpoint = server.endpoint();
  const before = held();
  const peers = [];
  for (let i = 0; i < PEERS; i++) peers.push(await dial(t, endpoint, false));
  await until("what waits for them", () => held() - before >= PEERS * MUCH);
  for (const peer of peers) peer.leave();
  await until("their end", () => server.live() === 0);
  await until("the memory", () => held() - before < PEERS * MUCH / 8, SOON);
  assert.equal(server.all("close").length, PEERS);
});
