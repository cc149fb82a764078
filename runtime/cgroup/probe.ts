/** By what the limits of services would be kept, without changing anything. */
import process from "node:process";
import type { Lack } from "../core/contract.ts";
import { messageOf } from "../core/errors.ts";
import type { Resources } from "../core/resources.ts";
import { type GroupFiles, pidsIn, SYSTEM_FILES } from "./files.ts";
import { type Controller, lackingController, placeOf, wordsOf } from "./place.ts";
import { wantedControllers } from "./wanted.ts";

/** Why a server cannot have a controller for its services: one that runs, or one that would be started from here. */
export function lackingGroup(
  controller: Controller,
  pid: number | "self" = "self",
  files: GroupFiles = SYSTEM_FILES,
): Lack | undefined {
  const place = placeOf(files, pid);
  if ("reason" in place) return place;
  const lack = lackingController(place, controller);
  if (lack !== undefined) return lack;
  const control = `${place.folder}/cgroup.subtree_control`;
  try {
    files.mayWrite(control);
    if (wordsOf(files.read(control)).has(controller)) return undefined;
  } catch (error) {
    return {
      reason: `${place.folder} is not this user's to divide: ${messageOf(error)}`,
      remedy: "have it delegated: Delegate=yes in its systemd unit",
    };
  }
  const others = pidsIn(files, place.folder).filter((other) =>
    other !== (pid === "self" ? process.pid : pid)
  );
  if (others.length === 0) return undefined;
  return {
    reason: `${place.folder} has other processes in it: ${others.slice(0, 5).join(", ")}`,
    remedy: "start it in a group of its own, as a systemd unit is",
  };
}

/** What each limit is, in words, and what keeps it where the kernel does not. */
const WORDS = {
  memory: ["memory", "is looked at four times a second"],
  cpu: ["total.cpu", undefined],
  pids: ["processes", "are those of the user"],
} as const;

/** How `resources` would be kept: what cannot be, and what there is to know. */
export function describeKeeping(
  resources: Resources,
  pid: number | "self" = "self",
  files: GroupFiles = SYSTEM_FILES,
): { readonly lacks: Lack[]; readonly notes: string[] } {
  const lacks: Lack[] = [];
  const notes: string[] = [];
  for (const controller of wantedControllers(resources)) {
    const lack = lackingGroup(controller, pid, files);
    const [name, otherwise] = WORDS[controller];
    const needed = controller !== "memory" && resources.total?.[NEEDED[controller]] !== undefined;
    if (lack === undefined) notes.push(`${name}: kept by the kernel (cgroup v2)`);
    else if (needed) {
      lacks.push({ ...lack, reason: `total.${NEEDED[controller]}: ${lack.reason}` });
    } else notes.push(`${name} ${otherwise}: ${lack.reason}`);
  }
  return { lacks, notes };
}

/** What of `total` nothing else can keep. */
const NEEDED = { cpu: "cpu", pids: "processes" } as const;
