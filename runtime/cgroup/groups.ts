/**
 * The control groups of a server. Its own is divided when the first service wants a limit that is the
 * kernel's: the server itself into the leaf `supervisor`, each such service into `service-NAME`, with
 * a leaf for each of its workers.
 */
import process from "node:process";
import type { Lack } from "../core/contract.ts";
import { messageOf, PorticoError } from "../core/errors.ts";
import type { Resources } from "../core/plan.ts";
import type { Groups, ServiceGroup } from "../services/groups.ts";
import {
  attemptRemove,
  errnoOf,
  giveGroup,
  type GroupFiles,
  pidsIn,
  SYSTEM_FILES,
} from "./files.ts";
import { type Controller, lackingController, type Place, placeOf, SUPERVISOR } from "./place.ts";
import { SharedGroup } from "./service-group.ts";
import { kernelLimits, wantedControllers } from "./wanted.ts";

export class ControlGroups implements Groups {
  readonly #files: GroupFiles;
  readonly #pid: number;
  /** What has been divided, with the controllers that its groups have. */
  #divided: { readonly place: Place; readonly on: Set<Controller> } | undefined = undefined;
  readonly #services: Map<string, SharedGroup> = new Map();

  constructor(files: GroupFiles = SYSTEM_FILES, pid: number = process.pid) {
    this.#files = files;
    this.#pid = pid;
  }

  /** See {@link Groups.open}. */
  open(name: string, resources: Resources): ServiceGroup | undefined {
    const on = new Set<Controller>();
    for (const controller of wantedControllers(resources)) {
      const lack = this.#enable(controller);
      if (lack === undefined) on.add(controller);
      else refuseWithout(controller, resources, lack);
    }
    if (on.size === 0) return undefined;
    const folder = `${this.#divided!.place.folder}/service-${name}`;
    const shared = this.#services.get(name) ?? new SharedGroup(this.#files, folder, this.#pid);
    this.#services.set(name, shared);
    return shared.open(on, kernelLimits(resources), () => this.#services.delete(name));
  }

  /** Has a controller in the groups of services; or says why not. */
  #enable(controller: Controller): Lack | undefined {
    if (this.#divided?.on.has(controller) === true) return undefined;
    const place = this.#divided?.place ?? placeOf(this.#files, this.#pid);
    if ("reason" in place) return place;
    const lack = lackingController(place, controller);
    if (lack !== undefined) return lack;
    try {
      if (this.#divided === undefined) this.#moveAside(place.folder);
      this.#files.write(`${place.folder}/cgroup.subtree_control`, `+${controller}`);
    } catch (error) {
      const lack = this.#lackOf(error, place.folder);
      if (this.#divided === undefined) this.#moveBack(place.folder);
      return lack;
    }
    this.#divided ??= { place, on: new Set() };
    this.#divided.on.add(controller);
    return undefined;
  }

  /** This process, and those that it has started, make room. */
  #moveAside(folder: string): void {
    const leaf = `${folder}/${SUPERVISOR}`;
    this.#files.make(leaf);
    for (const pid of pidsIn(this.#files, folder)) {
      if (pid === this.#pid || this.#isOurs(pid)) {
        attemptMove(this.#files, leaf, pid, pid === this.#pid);
      }
    }
    sweep(this.#files, folder);
  }

  /** Whether a process comes from this one. */
  #isOurs(pid: number): boolean {
    try {
      for (let at = pid; at > 1;) {
        // Its name may hold anything, a parenthesis too.
        const parent = /^.*\) \S (\d+) /s.exec(this.#files.read(`/proc/${at}/stat`))?.[1];
        at = Number(parent ?? 0);
        if (at === this.#pid) return true;
      }
    } catch {
      // It has ended.
    }
    return false;
  }

  #lackOf(error: unknown, folder: string): Lack {
    const others = pidsIn(this.#files, folder).filter((pid) => pid !== this.#pid);
    if (errnoOf(error) === "EBUSY" && others.length > 0) {
      return {
        reason: `${folder} has other processes in it: ${others.slice(0, 5).join(", ")}`,
        remedy: "start it in a group of its own",
      };
    }
    return {
      reason: `${folder} is not this user's to divide: ${messageOf(error)}`,
      remedy: "have it delegated: Delegate=yes in its systemd unit",
    };
  }

  /** See {@link Groups.give}. */
  give(uid: number, gid: number): void {
    if (this.#divided === undefined) return;
    const { folder } = this.#divided.place;
    giveGroup(this.#files, folder, uid, gid);
    giveGroup(this.#files, `${folder}/${SUPERVISOR}`, uid, gid);
    for (const service of this.#services.values()) service.give(uid, gid);
  }

  /** See {@link Groups.close}. */
  close(): void {
    if (this.#divided === undefined) return;
    for (const service of this.#services.values()) service.remove();
    const { place: { folder }, on } = this.#divided;
    this.#divided = undefined;
    try {
      sweep(this.#files, folder);
      // Somebody else goes on in it: a successor, a program that outlives its server.
      if (this.#files.folders(folder).some((name) => name !== SUPERVISOR)) return;
      if (pidsIn(this.#files, `${folder}/${SUPERVISOR}`).some((pid) => pid !== this.#pid)) return;
      for (const name of on) this.#files.write(`${folder}/cgroup.subtree_control`, `-${name}`);
      this.#moveBack(folder);
    } catch {
      // It has been taken away: what was in it has, too.
    }
  }

  #moveBack(folder: string): void {
    const leaf = `${folder}/${SUPERVISOR}`;
    for (const pid of pidsIn(this.#files, leaf)) attemptMove(this.#files, folder, pid, false);
    attemptRemove(this.#files, leaf);
  }
}

/** A limit that nothing else can keep is none. */
function refuseWithout(controller: Controller, { total }: Resources, lack: Lack): void {
  const key = controller === "cpu" ? "cpu" : controller === "pids" ? "processes" : undefined;
  if (key === undefined || total?.[key] === undefined) return;
  const { reason, remedy } = lack;
  throw new PorticoError(
    "NOT_SUPPORTED",
    `resources.total.${key}: ${reason}${remedy === undefined ? "" : `; ${remedy}`}`,
  );
}

/** A process that has ended meanwhile is nowhere. */
function attemptMove(files: GroupFiles, folder: string, pid: number, needed: boolean): void {
  try {
    files.write(`${folder}/cgroup.procs`, String(pid));
  } catch (error) {
    if (needed) throw error;
  }
}

/** Removes what servers have left that were killed. What is in use stays. */
function sweep(files: GroupFiles, folder: string): void {
  for (const service of files.folders(folder).filter((name) => name.startsWith("service-"))) {
    for (const leaf of files.folders(`${folder}/${service}`)) {
      attemptRemove(files, `${folder}/${service}/${leaf}`);
    }
    attemptRemove(files, `${folder}/${service}`);
  }
}
