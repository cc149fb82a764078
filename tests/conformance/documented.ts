/**
 * Plays the cases of what a stream carries, and how it ends, on Deno's own adapter, where Deno has nothing but what it
 * documents: the rest is hidden before the adapter is loaded. A program of its own, which prints the number of the
 * cases, and the names of those that failed.
 */
import type { Case } from "./stage.ts";

const deno = Deno as unknown as { readonly internal: symbol; [key: symbol]: object };
Object.defineProperty(Deno, deno.internal, { value: { ...deno[deno.internal], core: undefined } });

const { loadAdapter } = await import("../../adapters/mod.ts");
const { endings } = await import("./endings.ts");
const { flow } = await import("./flow.ts");
const { SocketHarness } = await import("./sockets.ts");
const { streams } = await import("./streams.ts");
const { casesOf, play, supportOf } = await import("./suite.ts");

const adapter = await loadAdapter();
const played = new Set<Case>([...streams, ...flow, ...endings]);
let count = 0;
const failed: string[] = [];
for (const transport of ["tcp", "unix"] as const) {
  for (const each of casesOf(transport)) {
    const harness = new SocketHarness(adapter, true);
    if (!played.has(each) || supportOf(harness, transport, each) !== true) continue;
    count++;
    try {
      await play(each, harness, transport);
    } catch (error) {
      failed.push(`${transport}: ${each.name}: ${error}`);
    }
  }
}
console.log(JSON.stringify([count, ...failed]));
Deno.exit(0);
