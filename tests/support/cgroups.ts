/**
 * Control groups to test with: a tree in memory that keeps the kernel's rules, and the kernel's own where
 * this user may make groups in it.
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { type GroupFiles, SYSTEM_FILES } from "../../runtime/cgroup/files.ts";
import { runs } from "./proc.ts";
import type { Scope } from "./scope.ts";

interface Group {
  readonly procs: Set<number>;
  readonly control: Set<string>;
  readonly files: Map<string, string>;
}

/** An error as node:fs throws it. */
function errno(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

const FILES: Readonly<Record<string, readonly string[]>> = {
  memory: ["memory.max", "memory.oom.group", "memory.current", "memory.events"],
  pids: ["pids.max", "pids.current", "pids.events"],
  cpu: ["cpu.max"],
};

/** Where a tree of ours is. */
const MOUNT = "/fake";

/** cgroups(7), as far as it goes here. Processes that have ended are in no group. */
export class FakeTree implements GroupFiles {
  readonly groups: Map<string, Group> = new Map();
  /** Everything that was written, as `FILE TEXT`. */
  readonly written: string[] = [];
  /** Who owns what, where that was changed. */
  readonly owners: Map<string, string> = new Map();
  readonly #pid: number;
  /** Whether a process runs; and its parent. */
  alive: (pid: number) => boolean = runs;
  readonly parents: Map<number, number> = new Map();
  readOnly = false;

  /** @param pid a process that is in the group `/unit`, to which these controllers were delegated. */
  constructor(pid: number = process.pid, controllers: string = "memory pids cpu") {
    this.#pid = pid;
    this.groups.set(MOUNT, { procs: new Set(), control: new Set(), files: new Map() });
    for (const name of controllers.split(" ").filter((name) => name !== "")) {
      this.groups.get(MOUNT)!.control.add(name);
    }
    this.make(`${MOUNT}/unit`);
    this.groups.get(`${MOUNT}/unit`)!.procs.add(pid);
  }

  /** The folder of a group that is there. */
  #at(path: string): Group {
    const group = this.groups.get(path);
    if (group === undefined) throw errno("ENOENT", path);
    for (const pid of group.procs) if (!this.alive(pid)) group.procs.delete(pid);
    return group;
  }

  #above(path: string): Group | undefined {
    return this.groups.get(path.slice(0, path.lastIndexOf("/")));
  }

  /** Which group a process is in. */
  groupOf(pid: number): string | undefined {
    return [...this.groups].find(([, { procs }]) => procs.has(pid))?.[0].slice(MOUNT.length);
  }

  read(path: string): string {
    if (path === "/proc/self/mountinfo") {
      return "31 1 0:1 / /x rw - tmpfs t rw\n32 1 0:2 / /fake rw,relatime shared:4 - cgroup2 cgroup2 rw\n";
    }
    const proc = /^\/proc\/(\w+)\/(cgroup|stat)$/.exec(path);
    if (proc !== null) {
      const pid = proc[1] === "self" ? this.#pid : Number(proc[1]);
      if (proc[2] === "cgroup") return `4:memory:/old\n0::${this.groupOf(pid) || "/"}\n`;
      const parent = this.parents.get(pid);
      return parent === undefined ? readFileSync(path, "utf8") : `${pid} (a) b) S ${parent} 1 1`;
    }
    const [folder, file] = parts(path);
    const group = this.#at(folder);
    switch (file) {
      case "cgroup.procs":
        return [...group.procs].map((pid) => `${pid}\n`).join("");
      case "cgroup.subtree_control":
        return `${[...group.control].join(" ")}\n`;
      case "cgroup.controllers":
        return `${[...this.#above(folder)?.control ?? []].join(" ")}\n`;
      case "cgroup.type":
        if (folder === MOUNT) throw errno("ENOENT", path);
        return "domain\n";
    }
    const text = group.files.get(file);
    if (text === undefined) throw errno("ENOENT", path);
    return text;
  }

  mayWrite(path: string): void {
    this.read(path);
    if (this.readOnly) throw errno("EROFS", path);
  }

  write(path: string, text: string): void {
    this.mayWrite(path);
    this.written.push(`${path.slice(MOUNT.length)} ${text}`);
    const [folder, file] = parts(path);
    const group = this.#at(folder);
    if (file === "cgroup.procs") {
      const pid = Number(text);
      if (!this.alive(pid)) throw errno("ESRCH", path);
      if (group.control.size > 0) throw errno("EBUSY", path);
      for (const { procs } of this.groups.values()) procs.delete(pid);
      group.procs.add(pid);
    } else if (file === "cgroup.subtree_control") {
      const name = text.slice(1);
      if (text.startsWith("-")) return void this.#disable(folder, group, name);
      if (!this.#above(folder)!.control.has(name)) throw errno("ENOENT", path);
      if (group.procs.size > 0) throw errno("EBUSY", path);
      group.control.add(name);
      for (const child of this.folders(folder)) this.#fill(`${folder}/${child}`);
    } else group.files.set(file, text);
  }

  #disable(folder: string, group: Group, name: string): void {
    for (const child of this.folders(folder)) {
      if (this.#at(`${folder}/${child}`).control.has(name)) throw errno("EBUSY", folder);
    }
    group.control.delete(name);
  }

  /** The files of the controllers that it has. */
  #fill(folder: string): void {
    const { files } = this.#at(folder);
    if (!files.has("cpu.stat")) files.set("cpu.stat", "usage_usec 0\n");
    for (const controller of this.#above(folder)?.control ?? []) {
      for (const file of FILES[controller]!) if (!files.has(file)) files.set(file, "max");
    }
  }

  folders(path: string): string[] {
    this.#at(path);
    return [...this.groups.keys()].filter((key) =>
      key.startsWith(`${path}/`) && !key.slice(path.length + 1).includes("/")
    ).map((key) => key.slice(path.length + 1));
  }

  make(path: string): void {
    if (this.readOnly) throw errno("EROFS", path);
    if (this.groups.has(path)) return;
    if (this.#above(path) === undefined) throw errno("ENOENT", path);
    this.groups.set(path, { procs: new Set(), control: new Set(), files: new Map() });
    this.#fill(path);
  }

  remove(path: string): void {
    if (this.#at(path).procs.size > 0 || this.folders(path).length > 0) throw errno("EBUSY", path);
    this.groups.delete(path);
  }

  chown(path: string, uid: number, gid: number): void {
    this.owners.set(path.slice(MOUNT.length), `${uid}:${gid}`);
  }

  /** Groups that there are below `/unit`, in their order. */
  get below(): string[] {
    return [...this.groups.keys()].filter((path) => path.startsWith(`${MOUNT}/unit/`))
      .map((path) => path.slice(`${MOUNT}/unit/`.length)).sort();
  }
}

function parts(path: string): [folder: string, file: string] {
  const slash = path.lastIndexOf("/");
  return [path.slice(0, slash), path.slice(slash + 1)];
}

/** Where cgroup v2 is mounted; undefined where it is not. */
function mountPoint(): string | undefined {
  try {
    const text = readFileSync("/proc/self/mountinfo", "utf8");
    return /^\S+ \S+ \S+ \/ (\S+) .* - cgroup2 /m.exec(text)?.[1];
  } catch {
    return undefined;
  }
}

/** The group of this process. */
function ownGroup(): string {
  const path = /^0::(\/.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))![1]!;
  return path === "/" ? "" : path;
}

/** Puts this process into a group of the kernel's, made for a test below its own; or says why there is none. */
export function kernelGroup(scope: Scope): string | { readonly lacking: string } {
  const mount = mountPoint();
  if (mount === undefined) return { lacking: "there is no cgroup v2 here" };
  const own = `${mount}${ownGroup()}`;
  const group = `${own}/portico-test-${process.pid}`;
  try {
    SYSTEM_FILES.make(group);
    SYSTEM_FILES.read(`${group}/cgroup.procs`);
  } catch (error) {
    return { lacking: `no group can be made in ${own}: ${(error as Error).message}` };
  }
  const move = (folder: string): void =>
    SYSTEM_FILES.write(`${folder}/cgroup.procs`, String(process.pid));
  move(group);
  scope.after(() => {
    move(own);
    SYSTEM_FILES.remove(group);
  });
  return group;
}

/**
 * The kernel's groups, where it has not the controllers: what is said of them is left out, where processes
 * are and which groups there are is the kernel's own affair.
 */
export const WITHOUT_CONTROLLERS: GroupFiles = {
  ...SYSTEM_FILES,
  read(path) {
    if (path.endsWith("/cgroup.controllers")) return "memory pids cpu\n";
    return SYSTEM_FILES.read(path);
  },
  write(path, text) {
    if (path.endsWith("/cgroup.procs")) SYSTEM_FILES.write(path, text);
  },
};

/** Why no group can be made here that has a controller; false when it can. */
export function lackingController(name: string): string | false {
  const mount = mountPoint();
  if (mount === undefined) return "there is no cgroup v2 here";
  const own = `${mount}${ownGroup()}`;
  const control = SYSTEM_FILES.read(`${own}/cgroup.subtree_control`);
  if (control.split(/\s+/).includes(name)) return false;
  try {
    SYSTEM_FILES.write(`${own}/cgroup.subtree_control`, `+${name}`);
    return false;
  } catch (error) {
    return `cgroup v2 has no controller ${name} for what is started here: ${
      (error as Error).message
    }`;
  }
}

/** The folder of a new group for a program of a test, to be made. */
export function newGroup(): string {
  return `${mountPoint()}${ownGroup()}/portico-test-${process.pid}-${++groups}`;
}

let groups = 0;
