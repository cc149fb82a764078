/** Whether anything else is running: two workers need both cores to themselves, or it is said that they had not. */
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

/** Milliseconds of a look, and how long a quiet moment is waited for. */
const LOOK = 300;
const PATIENCE = 15_000;
/** Below this part of all cores the machine is quiet; the kernel's own work is in it. */
const QUIET = 0.08;

/** Clock ticks of all cores since the boot, and of them those of this process and its ended children. */
interface Ticks {
  readonly busy: number;
  readonly all: number;
  readonly ours: number;
}

function ticks(): Ticks {
  const machine = readFileSync("/proc/stat", "latin1").split("\n", 1)[0]!.trim();
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, ...rest] = machine.split(/\s+/)
    .slice(1, 9).map(Number);
  const busy = user + nice + system + rest.reduce((sum, value) => sum + value, 0);
  const self = readFileSync("/proc/self/stat", "latin1");
  const times = self.slice(self.lastIndexOf(")") + 2).split(" ").slice(11, 15).map(Number);
  return { busy, all: busy + idle + wait, ours: times.reduce((sum, value) => sum + value, 0) };
}

/** The part of all cores that others have had in between. Processes of ours count once they have ended. */
function others(before: Ticks, after: Ticks): number {
  const theirs = after.busy - before.busy - (after.ours - before.ours);
  return Math.max(0, theirs) / Math.max(1, after.all - before.all);
}

/** Waits for a quiet moment, and then watches. @returns tells what others have had since; to be asked when all has ended. */
export async function quiet(): Promise<() => number> {
  const until = performance.now() + PATIENCE;
  for (;;) {
    const before = ticks();
    await pause(LOOK);
    const after = ticks();
    if (others(before, after) < QUIET || performance.now() > until) {
      return () => others(after, ticks());
    }
  }
}

/** What to say of it: nothing when it was quiet. */
export function noise(part: number): string {
  return part < QUIET ? "" : ` (others had ${Math.round(part * 100)} % of the machine meanwhile)`;
}
