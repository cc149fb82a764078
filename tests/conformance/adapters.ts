/** The adapters that can be tested where this runs, each with how a harness for it is made. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { loadAdapter } from "../../adapters/mod.ts";
import { makeAdapter as makeNode } from "../../adapters/node/mod.ts";
import type { Adapter, Support } from "../../runtime/core/contract.ts";
import { within } from "../support/until.ts";
import { adopting } from "./adopted.ts";
import type { Harness } from "./harness.ts";
import { MemoryHarness } from "./memory.ts";
import { SocketHarness } from "./sockets.ts";

/** What the bare node:net of this runtime does with 5 MB that are written after the peer's end. */
async function probeHalfClose(): Promise<Support> {
  const length = 5 * 1024 * 1024;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.on("end", () => socket.end(new Uint8Array(length)));
    socket.resume();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const peer = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let received = 0;
  peer.on("data", (chunk: Uint8Array) => received += chunk.length);
  peer.end();
  await within("the end of a probe", once(peer, "end"));
  peer.destroy();
  server.close();
  if (received === length) return true;
  return { reason: "the bare node:net of this runtime loses what is written after a half-close" };
}

/**
 * Adapters that are tested beside the runtime's own, on every runtime. These are built on its `node:net`;
 * the node adapter is the baseline that the others fall back on.
 */
const BESIDE: readonly (() => Adapter)[] = [makeNode];

/** By a name for people. */
export async function harnesses(): Promise<Map<string, () => Harness>> {
  const own = await loadAdapter();
  const all = new Map<string, () => Harness>([
    ["memory", () => new MemoryHarness()],
    [own.name, () => new SocketHarness(own, true)],
  ]);
  const beside = BESIDE.map((make) => make()).filter(({ name }) => !all.has(name));
  const halfClose = beside.length === 0 ? true : await probeHalfClose();
  for (const one of beside) all.set(one.name, () => new SocketHarness(one, halfClose));
  for (const [name, make] of [...all]) {
    const { adapter, halfClose } = make();
    if (adapter.features.descriptors !== true) continue;
    all.set(`${name}, adopting`, () => new SocketHarness(adopting(adapter), halfClose));
  }
  return all;
}
