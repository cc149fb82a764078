/** Where a process is in the tree of control groups, and what has been delegated to it there. */
import type { Lack } from "../core/contract.ts";
import { messageOf } from "../core/errors.ts";
import { errnoOf, type GroupFiles } from "./files.ts";

/** What bounds the groups of services. */
export type Controller = "memory" | "cpu" | "pids";

/** The leaf that a server itself is in: a group with groups in it, and with controllers, holds no process. */
export const SUPERVISOR = "supervisor";

/** The folder of the group that is a server's, and which controllers it may hand on. */
export interface Place {
  readonly folder: string;
  readonly controllers: ReadonlySet<string>;
}

const DELEGATE = "Delegate=memory cpu pids in its systemd unit";

/** The group that a process may divide; or why there is none. Nothing is written. */
export function placeOf(files: GroupFiles, pid: number | "self"): Place | Lack {
  try {
    const found = folderOf(files, pid);
    if (typeof found !== "string") return found;
    const folder = ownedBy(files, found);
    const controllers = wordsOf(files.read(`${folder}/cgroup.controllers`));
    return isRoot(files, folder)
      ? {
        reason: "it is in the group of the whole machine, which nobody has delegated",
        remedy: `start it in a group of its own: ${DELEGATE}`,
      }
      : { folder, controllers };
  } catch (error) {
    return { reason: `cgroup v2 cannot be asked: ${messageOf(error)}` };
  }
}

/** Why a controller cannot be had there; undefined when it can. */
export function lackingController(place: Place, controller: Controller): Lack | undefined {
  if (place.controllers.has(controller)) return undefined;
  return {
    reason: `the controller ${controller} has not been delegated to ${place.folder}`,
    remedy: DELEGATE,
  };
}

export function wordsOf(text: string): Set<string> {
  return new Set(text.split(/\s+/).filter((word) => word !== ""));
}

/** The file of a process says `0::/PATH`; the mount may begin below the root of the tree. */
function folderOf(files: GroupFiles, pid: number | "self"): string | Lack {
  const path = /^0::(\/.*)$/m.exec(files.read(`/proc/${pid}/cgroup`))?.[1];
  const mount =
    files.read("/proc/self/mountinfo").split("\n").map((line) =>
      /^\S+ \S+ \S+ (\S+) (\S+) .* - cgroup2 /.exec(line)
    ).find((found) => found !== null) ?? undefined;
  if (path === undefined || mount === undefined) {
    return { reason: "there is no cgroup v2 here", remedy: "mount it at /sys/fs/cgroup" };
  }
  const [, root = "/", at = ""] = mount;
  // From within a namespace of groups, what is above it begins with "/..".
  if (path.startsWith("/..") || !`${path}/`.startsWith(root === "/" ? "/" : `${root}/`)) {
    return { reason: "the group of the process is not where cgroup v2 is mounted" };
  }
  const below = path.slice(root === "/" ? 0 : root.length);
  return below === "/" ? at : `${at}${below}`;
}

/** A server that has divided its group is in a leaf of it, and so is its successor. */
function ownedBy(files: GroupFiles, folder: string): string {
  if (!folder.endsWith(`/${SUPERVISOR}`)) return folder;
  const above = folder.slice(0, -SUPERVISOR.length - 1);
  try {
    return wordsOf(files.read(`${above}/cgroup.subtree_control`)).size > 0 ? above : folder;
  } catch {
    return folder;
  }
}

/** The group of the whole machine has no type. */
function isRoot(files: GroupFiles, folder: string): boolean {
  try {
    files.read(`${folder}/cgroup.type`);
    return false;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return true;
    throw error;
  }
}
