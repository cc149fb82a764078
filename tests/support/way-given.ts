/** Gives way to others when two descriptors are left, and prints how many are left then. */
import { closeSync, openSync } from "node:fs";
import { loadAdapter } from "../../adapters/mod.ts";

const { defer, giveWay = defer } = await loadAdapter();

/** Takes all that are left. */
function take(): number[] {
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync("/dev/null", "r"));
  } catch {
    return taken;
  }
}

for (const fd of take().slice(0, 2)) closeSync(fd);
await new Promise<void>((resolve) => giveWay(resolve));
console.log(`${take().length}`);
