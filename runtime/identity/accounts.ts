/** The files of users and groups: passwd(5) and group(5). */
import { readFileSync } from "node:fs";
import { messageOf, PorticoError } from "../core/errors.ts";

/** Where they lie. */
export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
}

/** Those of this machine. */
export const ACCOUNTS: AccountFiles = { passwd: "/etc/passwd", group: "/etc/group" };

/** One line of passwd(5), without what nobody here asks for. */
export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** One line of group(5). */
export interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** The number of a user or a group of this machine; undefined where there is none of that name. */
export function lookupAccount(kind: "user" | "group", name: string): number | undefined {
  return kind === "user"
    ? readUsers(ACCOUNTS.passwd).find((user) => user.name === name)?.uid
    : readGroups(ACCOUNTS.group).find((group) => group.name === name)?.gid;
}

/** The users of a file, in its order. @throws PorticoError when it cannot be read. */
export function readUsers(file: string): User[] {
  return rows(file).flatMap(([name, , uid, gid]) => {
    const user = { name: name!, uid: idOf(uid), gid: idOf(gid) };
    return name === "" || Number.isNaN(user.uid + user.gid) ? [] : [user];
  });
}

/** The groups of a file, in its order. @throws PorticoError when it cannot be read. */
export function readGroups(file: string): Group[] {
  return rows(file).flatMap(([name, , gid, members = ""]) => {
    const group = { name: name!, gid: idOf(gid), members: members.split(",") };
    return name === "" || Number.isNaN(group.gid) ? [] : [group];
  });
}

function rows(file: string): string[][] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new PorticoError(
      "ENOENT",
      `${file}, where users and groups are looked up: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
  return text.split("\n").filter((line) => !line.startsWith("#")).map((line) => line.split(":"));
}

function idOf(text: string | undefined): number {
  return /^\d+$/.test(text ?? "") ? Number(text) : NaN;
}
