/** What is done with the files of control groups: cgroups(7). A test has a tree of its own behind it. */
import {
  accessSync,
  chownSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";

export interface GroupFiles {
  /** @throws what the system says: ENOENT for a file that is not there, as all that follow. */
  read(path: string): string;
  /** @throws unless {@link write} may be tried. */
  mayWrite(path: string): void;
  /** In one write(2): the kernel takes each as one word. */
  write(path: string, text: string): void;
  /** Folders in a folder. */
  folders(path: string): string[];
  /** One that is there already is as good. */
  make(path: string): void;
  /** Only of a group that is empty; EBUSY else. */
  remove(path: string): void;
  chown(path: string, uid: number, gid: number): void;
}

export const SYSTEM_FILES: GroupFiles = {
  read: (path) => readFileSync(path, "utf8"),
  mayWrite: (path) => accessSync(path, constants.W_OK),
  write: (path, text) => writeFileSync(path, text, { flag: "r+" }),
  folders: (path) =>
    readdirSync(path, { withFileTypes: true })
      .filter((found) => found.isDirectory()).map(({ name }) => name),
  make(path) {
    try {
      mkdirSync(path);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
  },
  remove: (path) => rmdirSync(path),
  chown: (path, uid, gid) => chownSync(path, uid, gid),
};

/** The name of a system's error, as `EBUSY`. */
export function errnoOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}

/** What makes a group another user's: cgroups(7), "Delegation". */
const DELEGATED = ["", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control"] as const;

/** Makes a group another user's to divide, and to put processes into. */
export function giveGroup(files: GroupFiles, folder: string, uid: number, gid: number): void {
  for (const path of DELEGATED) files.chown(`${folder}${path}`, uid, gid);
}

/** The processes of a group; none of one that is not there. */
export function pidsIn(files: GroupFiles, folder: string): number[] {
  try {
    const text = files.read(`${folder}/cgroup.procs`);
    return text.split("\n").filter((line) => line !== "").map(Number);
  } catch {
    return [];
  }
}

/** Not while there is somebody in it. @returns whether it is gone. */
export function attemptRemove(files: GroupFiles, folder: string): boolean {
  try {
    files.remove(folder);
    return true;
  } catch (error) {
    return errnoOf(error) === "ENOENT";
  }
}
