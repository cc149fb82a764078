/** The processes below a process, and what they hold of the memory: from /proc. */
import { readdirSync, readFileSync } from "node:fs";

/** Every process by the pid of its parent. */
function parents(): Map<number, number[]> {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    try {
      // The name, in parentheses, may hold blanks.
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      const siblings = children.get(parent);
      if (siblings === undefined) children.set(parent, [pid]);
      else siblings.push(pid);
    } catch {
      // It has ended in the meantime.
    }
  }
  return children;
}

/** All processes below `pid`, without itself. */
export function descendants(pid: number): number[] {
  const children = parents();
  const below = (of: number): number[] =>
    (children.get(of) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

/** Bytes. */
export interface Weight {
  /** All that is mapped and resident, shared pages too. */
  readonly resident: number;
  /** Shared pages divided by those who share them. */
  readonly proportional: number;
  /** What would be free if it ended. */
  readonly own: number;
}

/** @throws when the process has ended. */
export function weigh(pid: number): Weight {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]) * 1024;
  return {
    resident: field("Rss"),
    proportional: field("Pss"),
    own: field("Private_Clean") + field("Private_Dirty"),
  };
}
