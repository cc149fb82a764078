/** The adapters that can be tested where this runs, each with how a harness for it is made. */
import { loadAdapter } from "../../adapters/mod.ts";
import { makeAdapter } from "../../adapters/node/mod.ts";
import type { Harness } from "./harness.ts";
import { MemoryHarness } from "./memory.ts";
import { SocketHarness } from "./sockets.ts";

/** By a name for people. The node adapter is the baseline that the others fall back on. */
export async function harnesses(): Promise<Map<string, () => Harness>> {
  const own = await loadAdapter();
  const node = makeAdapter();
  const all = new Map<string, () => Harness>([
    ["memory", () => new MemoryHarness()],
    [own.name, () => new SocketHarness(own)],
  ]);
  if (!all.has(node.name)) all.set(node.name, () => new SocketHarness(node));
  return all;
}
