/** The group of one service: its limits, a leaf for each of its workers, what the kernel tells of them. */
import type { GroupUsage, ServiceGroup, WorkerGroup } from "../services/groups.ts";
import { attemptRemove, errnoOf, giveGroup, type GroupFiles } from "./files.ts";
import type { Controller } from "./place.ts";
import type { KernelLimit, KernelLimits } from "./wanted.ts";

/** How often it is tried to enter a group that a server before this one is just removing. */
const TRIES = 5;

/** Handed from one pool of workers to the next: a service that is reloaded has its limits all the time. */
export class SharedGroup {
  readonly #files: GroupFiles;
  readonly #folder: string;
  readonly #pid: number;
  /** Pools that use it. */
  #users = 0;
  #workers = 0;
  #on: ReadonlySet<Controller> = new Set();
  #limits: KernelLimits = { service: [], worker: [] };
  #owner: readonly [uid: number, gid: number] | undefined = undefined;
  /** Of workers that have ended, and left somebody behind. */
  readonly #left: Set<string> = new Set();

  constructor(files: GroupFiles, folder: string, pid: number) {
    this.#files = files;
    this.#folder = folder;
    this.#pid = pid;
  }

  /** @param gone nobody uses it any more. */
  open(on: ReadonlySet<Controller>, limits: KernelLimits, gone: () => void): ServiceGroup {
    // What the one before has limited, and this one does not, is unlimited again.
    this.#on = new Set([...this.#on, ...on]);
    this.#limits = limits;
    this.#make();
    this.#users++;
    let open = true;
    return {
      controllers: on,
      enter: (pid) => this.#enter(pid, on, limits),
      usage: () => this.#usage(),
      close: () => {
        if (!open) return;
        open = false;
        if (--this.#users > 0) return;
        this.remove();
        gone();
      },
    };
  }

  #make(): void {
    this.#files.make(this.#folder);
    this.#set(this.#folder, this.#on, this.#limits.service);
    for (const controller of this.#on) {
      if (controller === "cpu") continue;
      this.#files.write(`${this.#folder}/cgroup.subtree_control`, `+${controller}`);
    }
    if (this.#owner !== undefined) this.give(...this.#owner);
  }

  #set(folder: string, on: ReadonlySet<Controller>, limits: readonly KernelLimit[]): void {
    for (const [controller, file, text] of limits) {
      if (on.has(controller)) this.#files.write(`${folder}/${file}`, text);
    }
  }

  /** Puts a process into a leaf of its own. @throws what the system says. */
  #enter(pid: number, on: ReadonlySet<Controller>, { worker }: KernelLimits): WorkerGroup {
    const leaf = `${this.#folder}/worker-${this.#pid}-${++this.#workers}`;
    for (let tries = 1;; tries++) {
      try {
        this.#files.make(leaf);
        this.#set(leaf, on, worker);
        this.#files.write(`${leaf}/cgroup.procs`, String(pid));
        return { ended: () => this.#ended(leaf) };
      } catch (error) {
        // It has ended already, which is told elsewhere.
        if (errnoOf(error) === "ESRCH") return { ended: () => this.#ended(leaf) };
        if (errnoOf(error) !== "ENOENT" || tries === TRIES) {
          attemptRemove(this.#files, leaf);
          throw error;
        }
        this.#make();
      }
    }
  }

  #ended(leaf: string): "memory" | undefined {
    const killed = this.#count(`${leaf}/memory.events`, "oom_kill") > 0;
    this.#left.add(leaf);
    this.#tidy();
    return killed ? "memory" : undefined;
  }

  /** Programs that a worker has started may be there longer than itself. */
  #tidy(): void {
    for (const leaf of this.#left) {
      if (attemptRemove(this.#files, leaf)) this.#left.delete(leaf);
    }
  }

  #usage(): GroupUsage {
    const at = (file: string): string => `${this.#folder}/${file}`;
    const [memory, processes] = [
      this.#number(at("memory.current")),
      this.#number(at("pids.current")),
    ];
    return {
      controllers: [...this.#on],
      cpu: this.#count(at("cpu.stat"), "usage_usec") / 1e6,
      throttled: this.#count(at("cpu.stat"), "throttled_usec") / 1e6,
      ...(memory !== undefined && { memory }),
      ...(processes !== undefined && { processes }),
      killed: this.#count(at("memory.events"), "oom_kill"),
      // Before Linux 6.11 it was counted where somebody wanted one more, not at the limit.
      denied: Math.max(
        this.#count(at("pids.events"), "max"),
        this.#leaves().reduce((sum, leaf) => sum + this.#count(`${leaf}/pids.events`, "max"), 0),
      ),
    };
  }

  #leaves(): string[] {
    try {
      return this.#files.folders(this.#folder).map((name) => `${this.#folder}/${name}`);
    } catch {
      return [];
    }
  }

  #number(file: string): number | undefined {
    try {
      return Number(this.#files.read(file));
    } catch {
      return undefined;
    }
  }

  /** A line of a file as `oom_kill 2`; 0 for what is not told. */
  #count(file: string, name: string): number {
    try {
      return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(this.#files.read(file))?.[1] ?? 0);
    } catch {
      return 0;
    }
  }

  /** What somebody else still uses, a server before this one or after it, is removed by the last of them. */
  remove(): void {
    this.#tidy();
    attemptRemove(this.#files, this.#folder);
  }

  /** See {@link Groups.give}. */
  give(uid: number, gid: number): void {
    this.#owner = [uid, gid];
    const folders = [this.#folder, ...this.#leaves()];
    for (const folder of folders) giveGroup(this.#files, folder, uid, gid);
  }
}
