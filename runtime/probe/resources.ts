/** What processes of a service may be given of this machine, before they are started. */
import { readFileSync } from "node:fs";
import process from "node:process";
import type { Lack } from "../core/contract.ts";
import { messageOf } from "../core/errors.ts";
import type { ProcessPlan, Resources } from "../core/plan.ts";

/** Rows of /proc/self/limits. */
const ROWS = {
  cpu: "cpu time",
  files: "open files",
  processes: "processes",
  core: "core file size",
} as const;

/** Why `resources` cannot be had. @throws what reading /proc throws. */
export function lackingResources(resources: Resources): Lack[] {
  const lacks = Object.entries(ROWS).flatMap(([name, row]) => {
    const wanted = resources[name as keyof typeof ROWS];
    return wanted === undefined ? [] : aboveOwn(name, name === "cpu" ? wanted / 1000 : wanted, row);
  });
  const { memory = Infinity, total } = resources;
  const least = Math.min(memory, total?.memory ?? Infinity);
  if (least === Infinity) return lacks;
  try {
    readFileSync("/proc/self/status");
  } catch (error) {
    lacks.push({
      reason: `memory: /proc, where it is looked at, cannot be read: ${messageOf(error)}`,
      remedy: "leave it away, or give Deno --allow-all",
    });
  }
  const own = process.memoryUsage.rss();
  if (least < own) {
    lacks.push({
      reason: `memory: a process takes ${Math.ceil(own / 1e6)}MB before it has served anybody`,
      remedy: "give it more",
    });
  }
  return lacks;
}

/** Only root may have more than it has. */
function aboveOwn(name: string, wanted: number, row: string): Lack[] {
  if (process.geteuid?.() === 0) return [];
  const limits = readFileSync("/proc/self/limits", "utf8");
  const hard = new RegExp(`^Max ${row} +\\S+ +(\\d+)`, "m").exec(limits)?.[1];
  if (hard === undefined || wanted <= Number(hard)) return [];
  return [{
    reason: `${name}: this user may have ${hard} at most`,
    remedy: "start it as root, with more (ulimit -H, or Limit… of systemd.exec(5)), or take less",
  }];
}

/** What `resources` does not come to where no group keeps it, for whoever is to be told; undefined when it is all. */
export function idleResources({ user, resources }: ProcessPlan): string | undefined {
  const root = user === undefined ? process.geteuid?.() === 0 : user === "root" || user === 0;
  if (resources?.processes === undefined || !root) return undefined;
  return "processes: root has as many as it likes; give the service a user";
}
